#include <gtest/gtest.h>

#include "model/job_json.h"
#include "model/unicode.h"

namespace dkron::model {
namespace {

Job job_of(std::string_view json) {
  auto job = parse_job(json);
  EXPECT_TRUE(job) << json << ": " << job.error().message;
  return job ? std::move(*job) : Job();
}

std::string error_of(std::string_view json) {
  const auto job = parse_job(json);
  EXPECT_FALSE(job) << json;
  if (job) return "";
  EXPECT_EQ(job.error().code, ErrorCode::InvalidArgument);
  return job.error().message;
}

TEST(JsonRead, takes_all_members_that_users_write) {
  const Job job =
      job_of(R"({"name":"a","displayname":"A","timezone":"Europe/Berlin","schedule":"@daily",
    "owner":"me","owner_email":"me@example.com","disabled":true,
    "tags":{"dc":"x:1"},"metadata":{"k":"v"},
    "retries":3,"parent_job":"p","processors":{"log":{"forward":"true"},"files":null},
    "concurrency":"forbid",
    "executor":"shell","executor_config":{"command":"date"},"ephemeral":true,
    "expires_at":"2030-01-02T03:04:05.5+02:00","starts_at":"2029-01-02T03:04","dst_policy":"skip",
    "missed_runs":{"policy":"all","window":"5m"},"keep_executions":7})");
  EXPECT_EQ(job.name, "a");
  EXPECT_EQ(job.displayname, "A");
  EXPECT_EQ(job.timezone, "Europe/Berlin");
  EXPECT_EQ(job.schedule, "@daily");
  EXPECT_EQ(job.owner, "me");
  EXPECT_EQ(job.owner_email, "me@example.com");
  EXPECT_TRUE(job.disabled);
  EXPECT_EQ(job.tags, (StringMap{{"dc", "x:1"}}));
  EXPECT_EQ(job.metadata, (StringMap{{"k", "v"}}));
  EXPECT_EQ(job.retries, 3U);
  EXPECT_EQ(job.parent_job, "p");
  EXPECT_EQ(job.processors,
            (std::map<std::string, StringMap>{{"files", {}}, {"log", {{"forward", "true"}}}}));
  EXPECT_EQ(job.concurrency, "forbid");
  EXPECT_EQ(job.executor, "shell");
  EXPECT_EQ(job.executor_config, (StringMap{{"command", "date"}}));
  EXPECT_TRUE(job.ephemeral);
  EXPECT_EQ(format_rfc3339(job.expires_at), "2030-01-02T01:04:05.5Z");
  EXPECT_EQ(format_rfc3339(job.starts_at), "2029-01-02T03:04:00Z");
  EXPECT_EQ(job.dst_policy, "skip");
  ASSERT_TRUE(job.missed_runs);
  EXPECT_EQ(job.missed_runs->policy, MissedPolicy::All);
  EXPECT_EQ(job.missed_runs->window, minutes(5));
  EXPECT_EQ(job.keep_executions, 7U);
}

TEST(JsonRead, null_leaves_every_member_unset) {
  const Job job = job_of(
      R"({"name":"a","displayname":null,"disabled":null,"tags":null,"metadata":null,"retries":null,
    "processors":null,"concurrency":null,"executor_config":null,"expires_at":null,
    "starts_at":null,"missed_runs":null,
    "keep_executions":null,"next":null,"last_success":null,"dependent_jobs":null,"status":null})");
  EXPECT_EQ(job.displayname, "");
  EXPECT_FALSE(job.tags || job.metadata || job.executor_config || job.missed_runs);
  EXPECT_EQ(job.concurrency, "allow");
  EXPECT_TRUE(job.expires_at.is_zero());
  EXPECT_EQ(job_of("null").name, "");
}

TEST(JsonRead, empty_strings_mean_unset_where_a_time_or_a_choice_is_wanted) {
  const Job job =
      job_of(R"({"name":"a","expires_at":"","starts_at":"","concurrency":"","dst_policy":"",
    "missed_runs":{"policy":"","window":""}})");
  EXPECT_TRUE(job.expires_at.is_zero());
  EXPECT_EQ(job.concurrency, "");
  ASSERT_TRUE(job.missed_runs);
  EXPECT_EQ(job.missed_runs->policy, MissedPolicy::Latest);
  EXPECT_EQ(job.missed_runs->window, MissedRuns::kDefaultWindow);
  EXPECT_TRUE(job_of(R"({"starts_at":"0001-01-01T00:00:00Z"})").starts_at.is_zero());
}

TEST(JsonRead, unknown_members_are_ignored_and_names_match_in_any_case) {
  const Job job = job_of(
      R"({"NAME":"a","Schedule":"@daily","id":5,"color":{"x":[1,2,{}]},"executor_Config":{"Command":"x"}})");
  EXPECT_EQ(job.name, "a");
  EXPECT_EQ(job.schedule, "@daily");
  EXPECT_EQ(job.executor_config, (StringMap{{"Command", "x"}}));
}

TEST(JsonRead, echoed_computed_members_are_ignored_unless_asked_for) {
  constexpr std::string_view kText =
      R"({"name":"a","success_count":5,"error_count":6,"status":"failed",
    "last_success":"2026-01-02T03:04:05Z","last_error":"2026-01-02T03:04:06Z",
    "next":"2026-01-02T03:04:07Z",
    "dependent_jobs":["b"]})";
  const Job ignored = job_of(kText);
  EXPECT_EQ(ignored.success_count, 0);
  EXPECT_EQ(ignored.status, "");
  EXPECT_TRUE(ignored.next.is_zero() && ignored.dependent_jobs.empty());
  const auto taken = parse_job(kText, true);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->success_count, 5);
  EXPECT_EQ(taken->error_count, 6);
  EXPECT_EQ(taken->status, "failed");
  EXPECT_EQ(format_rfc3339(taken->last_success), "2026-01-02T03:04:05Z");
  EXPECT_TRUE(taken->next.is_zero() && taken->dependent_jobs.empty());
}

TEST(JsonRead, booleans_and_numbers_become_text_in_maps_and_containers_do_not) {
  const Job job = job_of(
      R"({"executor_config":{"a":true,"b":false,"c":12,"d":-3,"e":null,"f":18446744073709551615}})");
  EXPECT_EQ(job.executor_config, (StringMap{{"a", "true"},
                                            {"b", "false"},
                                            {"c", "12"},
                                            {"d", "-3"},
                                            {"e", ""},
                                            {"f", "18446744073709551615"}}));
  EXPECT_EQ(error_of(R"({"executor_config":{"a":[]}})"),
            "Job.executor_config.a must be a string, not array");
  EXPECT_EQ(error_of(R"({"tags":[]})"), "Job.tags must be an object of strings, not array");
  EXPECT_EQ(error_of(R"({"processors":{"log":5}})"),
            "Job.processors.log must be an object of strings, not number");
  EXPECT_EQ(error_of(R"({"processors":{"log":{"forward":{}}}})"),
            "Job.processors.log.forward must be a string, not object");
}

TEST(JsonRead, of_a_member_given_twice_the_last_one_counts) {
  EXPECT_EQ(job_of(R"({"name":"a","name":"b"})").name, "b");
  EXPECT_EQ(job_of(R"({"name":"a","Name":"b"})").name, "b");
  EXPECT_EQ(job_of(R"({"tags":{"a":"1"},"tags":{"b":"2"}})").tags, (StringMap{{"b", "2"}}));
}

TEST(JsonRead, wrong_types_are_refused_with_the_member) {
  EXPECT_EQ(error_of(R"({"name":1})"), "Job.name must be a string, not number");
  EXPECT_EQ(error_of(R"({"disabled":"true"})"), "Job.disabled must be a boolean, not string");
  EXPECT_EQ(error_of(R"({"retries":"1"})"), "Job.retries must be a number, not string");
  EXPECT_EQ(error_of(R"({"starts_at":5})"), "Job.starts_at must be a time, not number");
  EXPECT_EQ(error_of(R"({"success_count":"x"})"), "Job.success_count must be a number, not string");
  EXPECT_EQ(error_of(R"({"dependent_jobs":{}})"),
            "Job.dependent_jobs must be an array of strings, not object");
  EXPECT_EQ(error_of("[]"), "a job must be an object, not array");
  EXPECT_EQ(error_of("5"), "a job must be an object, not number");
}

TEST(JsonRead, numbers_out_of_range_are_refused) {
  for (const char* number :
       {"-1", "4294967296", "1.5", "1e400", "1e3", "99999999999999999999999", "-0.0"}) {
    EXPECT_EQ(error_of(std::string(R"({"retries":)") + number + "}"),
              "Job.retries must be a whole number from 0 to 4294967295")
        << number;
  }
  EXPECT_EQ(job_of(R"({"retries":4294967295})").retries, 4294967295U);
  error_of(R"({"success_count":2147483648})");
  error_of(R"({"retries":01})");
  error_of(R"({"retries":+1})");
  error_of(R"({"retries":NaN})");
}

TEST(JsonRead, times_outside_the_years_1_to_9999_are_refused) {
  error_of(R"({"starts_at":"0000-12-31T23:59:59Z"})");
  error_of(R"({"starts_at":"0001-01-01T00:00:00+02:00"})");
  error_of(R"({"expires_at":"9999-12-31T23:59:59-02:00"})");
  error_of(R"({"expires_at":"tomorrow"})");
  error_of(R"({"expires_at":"2026-02-30T00:00:00Z"})");
  EXPECT_EQ(format_rfc3339(job_of(R"({"expires_at":"9999-12-31T23:59:59.999999999Z"})").expires_at),
            "9999-12-31T23:59:59.999999999Z");
}

TEST(JsonRead, a_window_of_missed_runs_is_a_duration) {
  EXPECT_EQ(error_of(R"({"missed_runs":{"policy":"never"}})"),
            "Job.missed_runs.policy must be \"skip\", \"latest\" or \"all\"");
  EXPECT_EQ(error_of(R"({"missed_runs":{"window":"10"}})"),
            "Job.missed_runs.window: time: missing unit in duration \"10\"");
  error_of(R"({"missed_runs":"all"})");
  EXPECT_EQ(job_of(R"({"missed_runs":{"policy":"skip","more":1}})").missed_runs->policy,
            MissedPolicy::Skip);
}

TEST(JsonRead, nesting_ends_at_the_limit) {
  const auto nested = [](std::size_t depth) {
    return R"({"x":)" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
  };
  job_of(nested(kJsonDepthLimit));
  error_of(nested(kJsonDepthLimit + 1));
  error_of(std::string(100'000, '['));
  error_of(std::string(100'000, '{'));
}

TEST(JsonRead, malformed_utf8_becomes_the_replacement_character) {
  EXPECT_EQ(job_of("{\"owner\":\"a\xff\xfe\"}").owner, "a\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(job_of("{\"owner\":\"\xed\xa0\x80\"}").owner, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(job_of("{\"tags\":{\"k\xc3\":\"v\xc3\"}}").tags,
            (StringMap{{"k\xEF\xBF\xBD", "v\xEF\xBF\xBD"}}));
  EXPECT_EQ(job_of(R"({"owner":"\u00e9\ud83d\ude00"})").owner, "\xC3\xA9\xF0\x9F\x98\x80");
  EXPECT_EQ(job_of(R"({"owner":"a\u0000b"})").owner, std::string("a\0b", 3));
  EXPECT_EQ(job_of(R"({"owner":"a\ud800b","tags":{"\udc00":"x"}})").owner,
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(job_of(R"({"tags":{"\udc00":"x"}})").tags, (StringMap{{"\xEF\xBF\xBD", "x"}}));
}

TEST(JsonRead, blanks_around_and_text_behind_the_value_do_not_matter) {
  EXPECT_EQ(job_of(" \t\r\n{\"name\":\"a\"}\n").name, "a");
  EXPECT_EQ(job_of("{\"name\":\"a\"} trailing").name, "a");
  EXPECT_EQ(error_of(""), "the body is empty");
  EXPECT_EQ(error_of(" \n"), "the body is empty");
}

TEST(JsonRead, what_is_no_json_is_refused_with_the_place) {
  struct Case {
    std::string text, error;
  };
  for (const auto& [text, error] : {
           Case{"{", "the JSON text ends too early, at byte 2"},
           Case{"{\"name\":\"a\"", "the JSON text ends too early, at byte 12"},
           Case{"{\"name\":\"abc", "the JSON text ends too early, at byte 13"},
           Case{"{\"name\":\"a\",}", "unexpected '}' at byte 13"},
           Case{"{\"name\":\"a\",,\"x\":1}", "unexpected ',' at byte 13"},
           Case{"{'name':'a'}", "unexpected ''' at byte 2"},
           Case{"{\"name\" \"a\"}", "unexpected '\"' at byte 9"},
           Case{"{\"name\":\"a\nb\"}", "unexpected '\\n' at byte 11"},
           Case{"{\"name\":\"a\\x\"}", "unexpected 'x' at byte 12"},
           Case{"{\"owner\":\"\\ud800\",}", "unexpected '}' at byte 19"},
           Case{"{\"retries\":+1}", "unexpected '+' at byte 12"},
           Case{"{\"retries\":0x10}", "unexpected 'x' at byte 13"},
           // A byte order mark is no blank, as in the original.
           Case{"\xEF\xBB\xBF{\"name\":\"a\"}", "unexpected '\\ufeff' at byte 1"},
           Case{std::string("\0{}", 3), "unexpected '\\x00' at byte 1"},
       }) {
    EXPECT_EQ(error_of(text), error) << text;
  }
}

}  // namespace
}  // namespace dkron::model
