"""The demo trust: facts a trust could replace with its own, and the plan of a whole fictional trust made from them."""
