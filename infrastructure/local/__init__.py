"""The local runtime: an emulator of AWS, a host for the functions, and a desk for the developer."""
