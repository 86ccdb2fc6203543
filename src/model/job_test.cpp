#include "model/job.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/random.h"
#include "model/job_json.h"
#include "model/rows.h"
#include "model/unicode.h"

namespace dkron::model {
namespace {

Instant time(std::string_view text) {
  return *parse_rfc3339(text);
}

Job good() {
  Job job;
  job.name = "a";
  job.schedule = "@every 1m";
  return job;
}

std::string error_of(const Job& job) {
  const auto valid = validate(job, TimeZone());
  return valid ? "" : valid.error().message;
}

TEST(Validate, accepts_the_names_that_the_original_accepts) {
  Job job = good();
  job.name = "abcdefghijklmnopqrstuvwxyz0123456789-_ßñëäïüøüáéíóýćàèìòùâêîôûæšłç";
  EXPECT_EQ(error_of(job), "");
  for (const auto& [name, text] : std::vector<std::pair<std::string, std::string>>{
           {"", "name cannot be empty"},
           {"aBc", "name contains illegal character 'B'"},
           {"a b", "name contains illegal character ' '"},
           {"aÉ", "name contains illegal character 'É'"},
           {"a漢", "name contains illegal character '漢'"},
           {"a/b", "name contains illegal character '/'"},
           {"a\xff", "name contains illegal character '\xff'"},
           {std::string("a\0", 2), std::string("name contains illegal character '\0'", 35)},
           {std::string(256, 'a'), "name is too long (256 bytes, limit 255)"}}) {
    job.name = name;
    EXPECT_EQ(error_of(job), text);
  }
  job.name = std::string(255, 'a');
  EXPECT_EQ(error_of(job), "");
}

TEST(Validate, the_first_failure_in_the_documented_order_counts) {
  Job job;
  job.name = "A";
  job.parent_job = "A";
  job.schedule = "nonsense";
  job.concurrency = "maybe";
  job.timezone = "Nowhere/Land";
  job.dst_policy = "maybe";
  job.starts_at = time("2026-02-01T00:00:00Z");
  job.expires_at = time("2026-01-01T00:00:00Z");
  job.missed_runs = MissedRuns{MissedPolicy::Latest, seconds(-1)};
  job.keep_executions = kKeepExecutionsLimit + 1;
  job.tags = StringMap{{"t", "x:many"}};
  EXPECT_EQ(error_of(job), "name contains illegal character 'A'");
  job.name = "a";
  job.parent_job = "a";
  EXPECT_EQ(error_of(job), "the job can not have itself as parent");
  job.parent_job = "b";
  EXPECT_EQ(error_of(job).find("can't parse job schedule: "), 0U);
  job.schedule = "";
  EXPECT_EQ(error_of(job), "invalid concurrency policy value, use \"allow\" or \"forbid\"");
  job.concurrency = "";
  EXPECT_EQ(error_of(job), "unknown time zone Nowhere/Land");
  job.timezone = "../etc";
  EXPECT_EQ(error_of(job), "time: invalid location name");
  job.timezone = "Local";
  EXPECT_NE(error_of(job).find("dst_policy"), std::string::npos);
  job.dst_policy = "";
  EXPECT_EQ(error_of(job), "expires_at is before starts_at");
  job.expires_at = job.starts_at;
  EXPECT_EQ(error_of(job), "missed_runs: the window must not be negative");
  job.missed_runs->window = Duration(0);
  EXPECT_EQ(error_of(job), "keep_executions must not exceed 10000");
  job.keep_executions = kKeepExecutionsLimit;
  EXPECT_EQ(error_of(job), "tag t: improper cardinality specified: x:many");
  job.tags = StringMap{{"t", "x:2"}};
  EXPECT_EQ(error_of(job), "");
}

TEST(Validate, only_a_child_may_lack_a_schedule) {
  Job job = good();
  job.schedule = "";
  EXPECT_EQ(error_of(job), "can't parse job schedule: empty spec string");
  job.parent_job = "p";
  EXPECT_EQ(error_of(job), "");
  job.schedule = "* * *";
  EXPECT_EQ(error_of(job), "can't parse job schedule: expected exactly 6 fields, found 3: [* * *]");
}

TEST(TagFilter, takes_value_and_count_apart) {
  EXPECT_EQ(parse_tag_filter("web")->value, "web");
  EXPECT_FALSE(parse_tag_filter("web")->count);
  EXPECT_EQ(parse_tag_filter("web:3")->value, "web");
  EXPECT_EQ(parse_tag_filter("web:3")->count, 3U);
  EXPECT_EQ(parse_tag_filter(":0")->count, 0U);
  EXPECT_FALSE(parse_tag_filter("a:b:c")->count);
  for (const char* bad :
       {"web:", "web:x", "web:-1", "web:1x", "web: 1", "web:4294967296", "web:+1"}) {
    EXPECT_FALSE(parse_tag_filter(bad)) << bad;
  }
}

Instant next(const Job& job, std::string_view now) {
  const auto schedule = parse_schedule(job, TimeZone());
  EXPECT_TRUE(schedule);
  return next_activation(job, *schedule, time(now));
}

TEST(NextActivation, every_counts_from_the_last_activation) {
  Job job = good();
  job.schedule = "@every 10s";
  EXPECT_EQ(next(job, "2026-01-01T00:00:03Z"), time("2026-01-01T00:00:13Z"));
  job.last_instant = time("2026-01-01T00:00:01Z");
  EXPECT_EQ(next(job, "2026-01-01T00:00:01Z"), time("2026-01-01T00:00:11Z"));
  EXPECT_EQ(next(job, "2026-01-01T00:00:11Z"), time("2026-01-01T00:00:21Z"));
  EXPECT_EQ(next(job, "2026-01-01T00:00:10.999999999Z"), time("2026-01-01T00:00:11Z"));
  EXPECT_EQ(next(job, "2026-03-01T00:00:03Z"), time("2026-03-01T00:00:11Z"));
}

TEST(NextActivation, after_is_used_once) {
  Job job = good();
  job.schedule = "@after 2026-01-01T00:00:00Z <PT2H";
  const Instant at = time("2026-01-01T00:00:00Z");
  EXPECT_EQ(next(job, "2025-12-31T00:00:00Z"), at);
  EXPECT_EQ(next(job, "2026-01-01T01:00:00Z"), at);
  EXPECT_EQ(next(job, "2026-01-01T02:00:00Z"), at);
  EXPECT_TRUE(next(job, "2026-01-01T02:00:00.000000001Z").is_zero());
  job.last_instant = at;
  EXPECT_TRUE(next(job, "2026-01-01T01:00:00Z").is_zero());
  EXPECT_TRUE(next(job, "2025-12-31T00:00:00Z").is_zero());
}

TEST(NextActivation, at_lies_ahead_or_is_over) {
  Job job = good();
  job.schedule = "@at 2026-01-01T00:00:00Z";
  EXPECT_EQ(next(job, "2025-12-31T00:00:00Z"), time("2026-01-01T00:00:00Z"));
  EXPECT_TRUE(next(job, "2026-01-01T00:00:00Z").is_zero());
}

TEST(NextActivation, fields_are_read_in_the_zone_of_the_job) {
  Job job = good();
  job.schedule = "0 0 12 * * *";
  EXPECT_EQ(next(job, "2026-01-01T00:00:00Z"), time("2026-01-01T12:00:00Z"));
  job.timezone = "Europe/Berlin";
  EXPECT_EQ(next(job, "2026-01-01T00:00:00Z"), time("2026-01-01T11:00:00Z"));
}

TEST(NextActivation, nothing_is_due_before_starts_at) {
  Job job = good();
  job.starts_at = time("2026-01-02T12:00:00Z");
  job.schedule = "0 0 12 * * *";
  EXPECT_EQ(next(job, "2026-01-01T00:00:00Z"), time("2026-01-02T12:00:00Z"));
  EXPECT_EQ(next(job, "2026-01-03T00:00:00Z"), time("2026-01-03T12:00:00Z"));
  job.schedule = "@every 7s";
  EXPECT_GE(next(job, "2026-01-01T00:00:00Z"), job.starts_at);
  EXPECT_LT(next(job, "2026-01-01T00:00:00Z"), job.starts_at + seconds(7));
  job.last_instant = time("2026-01-01T00:00:01Z");
  const Instant kept = next(job, "2026-01-01T00:00:02Z");
  EXPECT_GE(kept, job.starts_at);
  EXPECT_LT(kept, job.starts_at + seconds(7));
  EXPECT_EQ((kept - job.last_instant) % seconds(7), Duration(0));
}

TEST(NextActivation, disabled_jobs_children_and_manual_ones_have_none) {
  Job job = good();
  job.disabled = true;
  EXPECT_TRUE(next(job, "2026-01-01T00:00:00Z").is_zero());
  job.disabled = false;
  job.parent_job = "p";
  EXPECT_TRUE(next(job, "2026-01-01T00:00:00Z").is_zero());
  job.parent_job = "";
  job.schedule = "@manually";
  EXPECT_TRUE(next(job, "2026-01-01T00:00:00Z").is_zero());
  job.schedule = "0 0 0 30 2 *";
  EXPECT_TRUE(next(job, "2026-01-01T00:00:00Z").is_zero());
}

TEST(Unicode, lower_case_letters_are_those_of_category_ll) {
  for (const char* yes : {"a", "z", "ß", "ł", "я", "ω", "ﬁ", "𝐚"})
    EXPECT_TRUE(is_lower_case_letter(yes)) << yes;
  for (const char* no : {"A", "É", "漢", "0", "_", " ", "ª", "\xff", "ab", "ː"})
    EXPECT_FALSE(is_lower_case_letter(no)) << no;
}

TEST(Unicode, a_tail_does_not_begin_inside_a_character) {
  EXPECT_EQ(tail_at_character("abc", 10), "abc");
  EXPECT_EQ(tail_at_character("abc", 2), "bc");
  EXPECT_EQ(tail_at_character("abc", 0), "");
  EXPECT_EQ(tail_at_character("aß漢😀", 4), "😀");
  EXPECT_EQ(tail_at_character("aß漢😀", 3), "");
  EXPECT_EQ(tail_at_character("aß漢😀", 5), "😀");
  EXPECT_EQ(tail_at_character("aß漢😀", 7), "漢😀");
  EXPECT_EQ(tail_at_character("aß漢😀", 9), "ß漢😀");
  EXPECT_EQ(tail_at_character(std::string(9, '\x80'), 8).size(), 5U);  // No text: bytes stay.
}

TEST(Unicode, malformed_bytes_are_taken_alone) {
  std::string_view text = "a\xffß\xc3";
  std::vector<std::string> characters;
  while (!text.empty()) characters.emplace_back(next_character(&text));
  EXPECT_EQ(characters, (std::vector<std::string>{"a", "\xff", "ß", "\xc3"}));
  EXPECT_EQ(to_valid_utf8("a\xffß\xc3"), "a\xEF\xBF\xBDß\xEF\xBF\xBD");
  EXPECT_FALSE(is_valid_utf8("\xc0\x80"));
  EXPECT_TRUE(is_valid_utf8("ß"));
}

std::string random_text(Random& random) {
  static const std::vector<std::string> kPieces = {
      "a", "Z", "0", "\"", "\\", "<", "ß", "😀", "\n", std::string(1, '\0'), "\xE2\x80\xA8"};
  std::string text;
  for (std::uint64_t i = random.below(6); i > 0; --i) text += kPieces[random.below(kPieces.size())];
  return text;
}

StringMap random_map(Random& random) {
  StringMap map;
  for (std::uint64_t i = random.below(4); i > 0; --i)
    map[random_text(random)] = random_text(random);
  return map;
}

Instant random_time(Random& random) {
  if (random.below(3) == 0) return Instant();
  return Instant::from_unix(
      static_cast<std::int64_t>(random.below(315'537'897'600)) + Instant::kZeroSeconds,
      static_cast<std::int32_t>(random.below(1'000'000'000)));
}

Job random_job(Random& random) {
  Job job;
  for (std::string* text :
       {&job.name, &job.displayname, &job.timezone, &job.schedule, &job.owner, &job.owner_email,
        &job.parent_job, &job.concurrency, &job.executor, &job.dst_policy, &job.status}) {
    *text = random_text(random);
  }
  for (auto* map : {&job.tags, &job.metadata, &job.executor_config}) {
    if (random.below(2) == 0) *map = random_map(random);
  }
  for (std::uint64_t i = random.below(3); i > 0; --i)
    job.processors[random_text(random)] = random_map(random);
  job.disabled = random.below(2) == 0;
  job.ephemeral = random.below(2) == 0;
  job.retries = static_cast<std::uint32_t>(random.next());
  job.keep_executions = static_cast<std::uint32_t>(random.below(3));
  job.expires_at = random_time(random);
  job.starts_at = random_time(random);
  job.last_success = random_time(random);
  job.last_error = random_time(random);
  job.success_count = static_cast<std::int32_t>(random.next());
  job.error_count = static_cast<std::int32_t>(random.next());
  if (random.below(2) == 0) {
    job.missed_runs = MissedRuns{static_cast<MissedPolicy>(random.below(3)),
                                 Duration(static_cast<std::int64_t>(random.next() >> 1))};
  }
  job.uid = random.next();
  job.revision = random.next();
  job.schedule_revision = random.next();
  return job;
}

std::string json_of(const Job& job) {
  std::string out;
  append_job(&out, job);
  return out;
}

TEST(RoundTrip, rows_and_json_give_the_same_job_back) {
  const char* given = std::getenv("SEED");
  const std::uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : system_random().next();
  std::printf("SEED=%llu\n", static_cast<unsigned long long>(seed));
  SeededRandom random(seed);
  for (int i = 0; i < 2'000; ++i) {
    const Job job = random_job(random);
    store::JobDefinition row;
    ASSERT_TRUE(row.ParseFromString(to_definition(job).SerializeAsString()));
    Job from_row;
    read_definition(row, &from_row);
    EXPECT_EQ(from_row.uid, job.uid);
    EXPECT_EQ(from_row.revision, job.revision);
    EXPECT_EQ(from_row.schedule_revision, job.schedule_revision);
    EXPECT_EQ(from_row.tags, job.tags);
    EXPECT_EQ(from_row.metadata, job.metadata);
    EXPECT_EQ(from_row.executor_config, job.executor_config);
    from_row.success_count = job.success_count;
    from_row.error_count = job.error_count;
    from_row.last_success = job.last_success;
    from_row.last_error = job.last_error;
    from_row.status = job.status;
    ASSERT_EQ(json_of(from_row), json_of(job));
    const auto parsed = parse_job(json_of(job), true);
    ASSERT_TRUE(parsed) << parsed.error().message;
    ASSERT_EQ(json_of(*parsed), json_of(job));
  }
}

TEST(RoundTrip, an_execution_comes_back_from_its_row) {
  Execution e;
  e.job_name = "a";
  e.started_at = time("2026-01-01T00:00:00.5Z");
  e.lost = true;
  e.node_name = "n";
  e.group = -5;
  e.attempt = 3;
  e.scheduled_at = time("2026-01-01T00:00:00Z");
  e.output_bytes = 77;
  e.output_truncated = true;
  const Execution back = to_execution(to_row(e), "out");
  EXPECT_EQ(back.job_name, e.job_name);
  EXPECT_EQ(back.id(), e.id());
  EXPECT_TRUE(back.finished_at.is_zero());
  EXPECT_EQ(back.scheduled_at, e.scheduled_at);
  EXPECT_EQ(back.group, e.group);
  EXPECT_EQ(back.attempt, 3U);
  EXPECT_TRUE(back.lost && back.output_truncated);
  EXPECT_EQ(back.output_bytes, 77U);
  EXPECT_EQ(back.output, "out");
}

TEST(Rows, times_that_no_instant_can_be_are_brought_into_range) {
  store::Time t;
  t.set_seconds(INT64_MIN);
  t.set_nanos(-1);
  EXPECT_EQ(get_time(t), Instant());
  t.set_seconds(INT64_MAX);
  t.set_nanos(INT32_MAX);
  EXPECT_EQ(format_rfc3339(get_time(t)), "9999-12-31T23:59:59.999999999Z");
  EXPECT_EQ(get_time(store::JobState().next()), Instant());
}

TEST(Rows, a_policy_of_a_later_version_reads_as_the_default) {
  store::JobDefinition row;
  row.mutable_missed_runs()->set_policy(static_cast<store::MissedRuns::Policy>(9));
  Job job;
  read_definition(row, &job);
  EXPECT_EQ(job.missed().policy, MissedPolicy::Latest);
}

}  // namespace
}  // namespace dkron::model
