#include <gtest/gtest.h>

#include "model/job_json.h"

namespace dkron::model {
namespace {

std::string json_text(std::string_view text) {
  std::string out;
  append_json_string(&out, text);
  return out;
}

Instant time(std::string_view text) {
  return *parse_rfc3339(text);
}

TEST(JsonWrite, escapes_what_the_original_escapes) {
  EXPECT_EQ(json_text("a<b>&c"), R"("a\u003cb\u003e\u0026c")");
  EXPECT_EQ(json_text("\xE2\x80\xA8|\xE2\x80\xA9|\xE2\x80\xAA"),
            "\"\\u2028|\\u2029|\xE2\x80\xAA\"");
  EXPECT_EQ(json_text("\"\\\n\r\t\b\f/"), R"("\"\\\n\r\t\b\f/")");
  EXPECT_EQ(json_text(std::string("\0\x1f\x7f", 3)), "\"\\u0000\\u001f\x7f\"");
  EXPECT_EQ(json_text("a\xff"
                      "b\xc3"),
            "\"a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD\"");
  EXPECT_EQ(json_text("ß漢😀"), "\"ß漢😀\"");
  EXPECT_EQ(json_text(""), "\"\"");
}

TEST(JsonWrite, a_new_job_shows_every_member_in_order) {
  Job job;
  job.name = "job1";
  job.schedule = "@every 10s";
  job.executor = "shell";
  job.executor_config = StringMap{{"command", "date"}};
  std::string out;
  append_job(&out, job);
  EXPECT_EQ(
      out,
      R"({"id":"job1","name":"job1","displayname":"","timezone":"","schedule":"@every 10s","owner":"",)"
      R"("owner_email":"","success_count":0,"error_count":0,"last_success":null,"last_error":null,)"
      R"("disabled":false,"tags":null,"metadata":null,"retries":0,"dependent_jobs":null,"parent_job":"",)"
      R"("processors":{},"concurrency":"allow","executor":"shell","executor_config":{"command":"date"},)"
      R"("status":"","next":"0001-01-01T00:00:00Z","ephemeral":false,"starts_at":null,"expires_at":null})");
}

TEST(JsonWrite, a_full_job_shows_its_values) {
  Job job;
  job.name = "a";
  job.displayname = "A";
  job.timezone = "Europe/Berlin";
  job.schedule = "@after 2026-01-01T00:00:00Z <PT2H";
  job.success_count = 2147483647;
  job.error_count = -1;
  job.last_success = time("2025-12-20T10:28:11.120034112Z");
  job.last_error = time("2025-12-20T10:28:11.5+02:00");
  job.disabled = true;
  job.tags = StringMap{{"b", "2"}, {"a", "1"}};
  job.metadata = StringMap{};
  job.retries = 4294967295;
  job.dependent_jobs = {"x", "y"};
  job.processors = {{"log", {}}, {"files", {{"dir", "/tmp"}}}};
  job.status = "success";
  job.next = time("2026-01-01T00:00:00Z");
  job.ephemeral = true;
  job.starts_at = time("2026-01-02T00:00:00.000000001Z");
  job.expires_at = time("9999-12-31T23:59:59Z");
  job.dst_policy = "skip";
  job.missed_runs = MissedRuns{MissedPolicy::All, minutes(90)};
  job.keep_executions = 5;
  std::string out;
  append_job(&out, job);
  EXPECT_EQ(
      out,
      R"({"id":"a","name":"a","displayname":"A","timezone":"Europe/Berlin",)"
      R"("schedule":"@after 2026-01-01T00:00:00Z \u003cPT2H","owner":"","owner_email":"",)"
      R"("success_count":2147483647,"error_count":-1,"last_success":"2025-12-20T10:28:11.120034112Z",)"
      R"("last_error":"2025-12-20T08:28:11.5Z","disabled":true,"tags":{"a":"1","b":"2"},"metadata":null,)"
      R"("retries":4294967295,"dependent_jobs":["x","y"],"parent_job":"",)"
      R"("processors":{"files":{"dir":"/tmp"},"log":{}},"concurrency":"allow","executor":"",)"
      R"("executor_config":null,"status":"success","next":"2026-01-01T00:00:00Z","ephemeral":true,)"
      R"("starts_at":"2026-01-02T00:00:00.000000001Z","expires_at":"9999-12-31T23:59:59Z","dst_policy":"skip",)"
      R"("missed_runs":{"policy":"all","window":"1h30m0s"},"keep_executions":5})");
}

Execution sample() {
  Execution e;
  e.job_name = "job1";
  e.started_at = Instant::from_unix_nanos(1766226491120034112);
  e.finished_at = time("2025-12-20T10:28:11.125Z");
  e.success = true;
  e.output = "2025\n";
  e.node_name = "node1";
  e.group = 1766226491000123456;
  return e;
}

TEST(JsonWrite, an_execution_shows_its_times_in_the_zone_of_its_job) {
  std::string out;
  append_execution(&out, sample(), TimeZone());
  EXPECT_EQ(
      out,
      R"({"id":"1766226491120034112-node1","job_name":"job1","started_at":"2025-12-20T10:28:11.120034112Z",)"
      R"("finished_at":"2025-12-20T10:28:11.125Z","success":true,"output":"2025\n","node_name":"node1",)"
      R"("group":1766226491000123456,"group_id":"1766226491000123456","attempt":1})");
  out.clear();
  Execution running = sample();
  running.finished_at = Instant();
  running.output.clear();
  append_execution(&out, running, *TimeZone::load("Asia/Kathmandu"));
  EXPECT_NE(out.find(R"("started_at":"2025-12-20T16:13:11.120034112+05:45")"), std::string::npos);
  EXPECT_NE(out.find(R"("finished_at":"0001-01-01T00:00:00Z")"), std::string::npos);
  EXPECT_EQ(out.find("output"), std::string::npos);
}

TEST(JsonWrite, a_listed_execution_says_whether_its_output_was_cut) {
  std::string out;
  append_listed_execution(&out, sample(), TimeZone(), 3);
  EXPECT_NE(out.find(R"("output":"25\n",)"), std::string::npos);
  EXPECT_TRUE(out.ends_with(R"("attempt":1,"output_truncated":true})"));
  for (const int limit : {5, 100, -1}) {
    out.clear();
    append_listed_execution(&out, sample(), TimeZone(), limit);
    EXPECT_TRUE(out.ends_with(R"("output_truncated":false})"));
  }
  out.clear();
  append_listed_execution(&out, sample(), TimeZone(), 0);
  EXPECT_EQ(out.find(R"("output":)"), std::string::npos);
  EXPECT_TRUE(out.ends_with(R"("output_truncated":true})"));
}

TEST(JsonWrite, one_that_never_started_has_the_zero_id) {
  Execution e = sample();
  e.started_at = Instant();
  e.node_name.clear();
  EXPECT_EQ(e.id(), "-6795364578871345152-");
}

TEST(JsonWrite, pretty_breaks_lines_and_leaves_strings_alone) {
  EXPECT_EQ(
      pretty(R"({"a":{},"b":[],"c":[1,"x:,{\"}"],"d":{"e":null}})"),
      "{\n    \"a\": {},\n    \"b\": [],\n    \"c\": [\n        1,\n        \"x:,{\\\"}\"\n    ],\n"
      "    \"d\": {\n        \"e\": null\n    }\n}");
  EXPECT_EQ(pretty("[]"), "[]");
  EXPECT_EQ(pretty("\"a\""), "\"a\"");
}

}  // namespace
}  // namespace dkron::model
