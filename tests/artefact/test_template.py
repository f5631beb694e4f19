"""What the template promises about the data, the queues and who is told when something fails."""

import json

import pytest

from infrastructure.package import lint, package

HOLDS_DATA = {"AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::Cognito::UserPool"}


def of_type(template, kind):
    return {name: each for name, each in template["Resources"].items() if each["Type"] == kind}


def alarms(template):
    return [alarm["Properties"] for alarm in of_type(template, "AWS::CloudWatch::Alarm").values()]


def dead_letter_queues(template):
    queues = of_type(template, "AWS::SQS::Queue")
    return {name for name, queue in queues.items() if "RedrivePolicy" not in queue["Properties"]}


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_cfn_lint_finds_nothing(stage):
    assert lint(package(stage)) == ""


def test_what_holds_data_survives_the_stack(template):
    holders = [each for each in template["Resources"].values() if each["Type"] in HOLDS_DATA]
    assert len(holders) == 6
    for holder in holders:
        assert holder["DeletionPolicy"] == holder["UpdateReplacePolicy"] == "Retain"


def test_tables_are_protected_encrypted_and_recoverable(template):
    tables = of_type(template, "AWS::DynamoDB::Table")
    assert set(tables) == {"RecordsTable", "MessagesTable", "AuditTable"}
    for table in (each["Properties"] for each in tables.values()):
        assert table["DeletionProtectionEnabled"] is True
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["SSESpecification"] == {"SSEEnabled": True}
        assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert template["Resources"]["UserPool"]["Properties"]["DeletionProtection"] == "ACTIVE"


def test_buckets_are_private_encrypted_versioned_and_speak_tls_only(template):
    buckets = of_type(template, "AWS::S3::Bucket")
    policies = {
        each["Properties"]["Bucket"]["Ref"]: each for each in of_type(template, "AWS::S3::BucketPolicy").values()
    }
    for name, bucket in buckets.items():
        properties = bucket["Properties"]
        assert all(properties["PublicAccessBlockConfiguration"].values())
        assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
        assert properties["BucketEncryption"]
        (statement,) = policies[name]["Properties"]["PolicyDocument"]["Statement"]
        assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_every_queue_that_delivers_has_a_dead_letter_queue_and_every_one_of_those_an_alarm(template):
    queues = of_type(template, "AWS::SQS::Queue")
    targets = {
        queue["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        for queue in queues.values()
        if "RedrivePolicy" in queue["Properties"]
    }
    assert targets <= dead_letter_queues(template)
    watched = {
        alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0]
        for alarm in alarms(template)
        if alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    }
    assert watched == dead_letter_queues(template)


def test_every_function_and_the_api_have_an_error_rate_alarm(template):
    watched = {alarm["Dimensions"][0]["Value"]["Ref"] for alarm in alarms(template) if alarm["MetricName"] == "Errors"}
    assert watched == set(of_type(template, "AWS::Serverless::Function"))
    assert any(alarm["MetricName"] == "5XXError" for alarm in alarms(template))


def test_every_alarm_tells_somebody(template):
    assert all(alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}] for alarm in alarms(template))


def test_every_function_keeps_its_log_for_a_limited_time(template):
    groups = of_type(template, "AWS::Logs::LogGroup").values()
    logged = {group["Properties"]["LogGroupName"]["Fn::Sub"] for group in groups}
    assert logged == {f"/aws/lambda/${{{name}}}" for name in of_type(template, "AWS::Serverless::Function")}
    assert all(group["Properties"]["RetentionInDays"] for group in groups)


def test_batches_may_fail_in_part(template):
    sources = [
        source["Properties"]
        for function in of_type(template, "AWS::Serverless::Function").values()
        for source in function["Properties"].get("Events", {}).values()
        if source["Type"] in ("SQS", "DynamoDB")
    ]
    assert len(sources) == 6
    assert all(source["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for source in sources)


@pytest.mark.parametrize("function", ["Relay", "Projector"])
def test_the_stream_is_read_from_its_start_and_a_batch_that_keeps_failing_is_set_aside(template, function):
    events = template["Resources"][function]["Properties"]["Events"]
    source = events[f"{function}DynamodbEventSource"]["Properties"]
    assert source["StartingPosition"] == "TRIM_HORIZON"
    assert source["Stream"] == {"Fn::GetAtt": ["MessagesTable", "StreamArn"]}
    assert source["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": [f"{function}DeadQueue", "Arn"]}
    assert source["BisectBatchOnFunctionError"] is True


@pytest.mark.parametrize("function", ["Relay", "Projector"])
def test_a_reader_of_the_stream_that_falls_behind_is_an_alarm(template, function):
    watched = [each["Dimensions"][0]["Value"] for each in alarms(template) if each["MetricName"] == "IteratorAge"]
    assert {"Ref": function} in watched


def test_counters_that_were_wrong_are_an_alarm_under_the_name_that_is_counted(template):
    (alarm,) = [each for each in alarms(template) if each["MetricName"] == "ProjectionDifferences"]
    told = template["Resources"]["Worker"]["Properties"]["Environment"]["Variables"]
    assert alarm["Namespace"] == told["POWERTOOLS_METRICS_NAMESPACE"]
    assert alarm["Dimensions"] == [{"Name": "service", "Value": told["POWERTOOLS_SERVICE_NAME"]}]
    assert alarm["Threshold"] == 1


def test_the_day_begins_in_london_and_everything_is_counted_again_on_sundays(template):
    schedules = of_type(template, "AWS::Scheduler::Schedule")
    assert {name: each["Properties"]["ScheduleExpression"] for name, each in schedules.items()} == {
        "DaySchedule": "cron(5 0 * * ? *)",
        "ReconciliationSchedule": "cron(0 3 ? * SUN *)",
    }
    for each in schedules.values():
        assert each["Properties"]["ScheduleExpressionTimezone"] == "Europe/London"
        assert each["Properties"]["Target"]["Arn"] == {"Fn::GetAtt": ["WorkQueue", "Arn"]}


@pytest.mark.parametrize(("function", "often"), [("Sweeper", "rate(1 minute)"), ("Timekeeper", "rate(5 minutes)")])
def test_what_waits_is_looked_for_again_and_again(template, function, often):
    (source,) = template["Resources"][function]["Properties"]["Events"].values()
    assert source == {"Type": "Schedule", "Properties": {"Schedule": often}}


@pytest.mark.parametrize("function", ["Relay", "Projector"])
def test_readers_of_the_stream_are_woken_by_new_events_alone(template, function):
    source = template["Resources"][function]["Properties"]["Events"][f"{function}DynamodbEventSource"]["Properties"]
    (wanted,) = source["FilterCriteria"]["Filters"]
    assert json.loads(wanted["Pattern"]) == {
        "eventName": ["INSERT"],
        "dynamodb": {"NewImage": {"kind": {"S": ["event"]}}},
    }


def test_a_thousand_messages_are_about_ten_batches_and_none_waits_longer_than_a_second_for_one(template):
    for function, source in (("Relay", "Dynamodb"), ("Mailer", "Sqs"), ("Feedback", "Sqs")):
        events = template["Resources"][function]["Properties"]["Events"]
        batch = events[f"{function}{source}EventSource"]["Properties"]
        assert (batch["BatchSize"], batch["MaximumBatchingWindowInSeconds"]) == (100, 1)


def test_ses_reports_what_became_of_e_mails_to_one_queue_and_nobody_else_may(template):
    (reports,) = of_type(template, "AWS::SES::ConfigurationSetEventDestination").values()
    destination = reports["Properties"]["EventDestination"]
    assert set(destination["MatchingEventTypes"]) == {"delivery", "bounce", "complaint", "reject"}
    assert destination["SnsDestination"] == {"TopicARN": {"Ref": "FeedbackTopic"}}
    policies = {
        "FeedbackTopicPolicy": ("ses.amazonaws.com", "sns:Publish"),
        "FeedbackQueuePolicy": ("sns.amazonaws.com", "sqs:SendMessage"),
    }
    for name, allowed in policies.items():
        (statement,) = template["Resources"][name]["Properties"]["PolicyDocument"]["Statement"]
        assert (statement["Principal"]["Service"], statement["Action"]) == allowed
        assert statement["Condition"]


def test_only_our_bus_and_our_bucket_may_write_to_the_workforce_queue(template):
    policy = template["Resources"]["WorkforceQueuePolicy"]["Properties"]["PolicyDocument"]
    senders = {each["Principal"]["Service"]: each["Condition"] for each in policy["Statement"]}
    assert senders.keys() == {"events.amazonaws.com", "s3.amazonaws.com"}
    assert senders["events.amazonaws.com"]["ArnEquals"] == {"aws:SourceArn": {"Fn::GetAtt": ["WorkforceRule", "Arn"]}}
    named = senders["s3.amazonaws.com"]["ArnEquals"]["aws:SourceArn"]["Fn::Sub"].rpartition(":::")[2]
    assert named == template["Resources"]["WorkforceBucket"]["Properties"]["BucketName"]["Fn::Sub"]
    assert senders["s3.amazonaws.com"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}


def test_files_that_name_people_do_not_stay(template):
    for bucket in ("WorkforceBucket", "FilesBucket"):
        rule, *_ = template["Resources"][bucket]["Properties"]["LifecycleConfiguration"]["Rules"]
        assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", 90)
        assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}


def test_evidence_stays_six_years_in_the_version_that_was_checked_and_only_the_portal_sends_it(template):
    bucket = template["Resources"]["FilesBucket"]["Properties"]
    (rule,) = [each for each in bucket["LifecycleConfiguration"]["Rules"] if each["Prefix"] == "evidence/"]
    assert (rule["ExpirationInDays"], rule["NoncurrentVersionExpiration"]) == (2192, {"NoncurrentDays": 2192})
    (portal,) = bucket["CorsConfiguration"]["CorsRules"]
    assert (portal["AllowedOrigins"], portal["AllowedMethods"]) == ([{"Ref": "PortalUrl"}], ["PUT", "GET"])


@pytest.mark.parametrize(
    ("queue", "consumer"), [("Mail", "Mailer"), ("Feedback", "Feedback"), ("Work", "Worker"), ("Workforce", "Feeder")]
)
def test_a_message_is_hidden_for_at_least_three_times_as_long_as_its_consumer_may_take(template, queue, consumer):
    hidden = template["Resources"][f"{queue}Queue"]["Properties"]["VisibilityTimeout"]
    assert hidden >= 3 * template["Resources"][consumer]["Properties"]["Timeout"]


def test_no_policy_gives_a_wildcard(template):
    for role in of_type(template, "AWS::IAM::Role").values():
        for policy in role["Properties"]["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                assert statement["Resource"] != "*"
                assert all("*" not in action for action in statement["Action"])


def test_the_mailer_sends_as_one_identity_only(template):
    (policy,) = template["Resources"]["MailerRole"]["Properties"]["Policies"]
    (sending,) = [each for each in policy["PolicyDocument"]["Statement"] if each["Sid"] == "SendMail"]
    named = [each["Fn::Sub"].rpartition(":")[2] for each in sending["Resource"]]
    assert named == ["identity/${MailSender}", "configuration-set/${MailConfiguration}"]
