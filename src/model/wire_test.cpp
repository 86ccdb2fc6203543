// Conversions between structs and messages of the wire, also with what the original sent.
#include "model/wire.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "base/file.h"
#include "model/job_json.h"
#include "types/v1/dkron.pb.h"

namespace dkron::model {
namespace {

std::string from_hex(std::string_view digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<char>(kDigits.find(digits[i]) << 4 | kDigits.find(digits[i + 1])));
  }
  return bytes;
}

// Map entries in the order of their keys, as they were recorded.
std::string bytes_of(const google::protobuf::Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return bytes;
}

std::string json_of(const Job& job) {
  std::string json;
  append_job(&json, job);
  return json;
}

template <class Message>
Message parse(std::string_view bytes) {
  Message message;
  EXPECT_TRUE(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return message;
}

// Calls back with every recorded step that has a method of this name.
void for_each_step(const std::string& file, std::string_view method,
                   const std::function<void(const boost::json::object&)>& callback) {
  const auto text =
      read_file(Path(DKRON_SOURCE_DIR) / "tests/golden/grpc" / (file + ".json"), 1 << 20).value();
  const auto recorded = boost::json::parse(text);
  for (const auto& entry : recorded.at("entries").as_array()) {
    for (const auto& step : entry.at("steps").as_array()) {
      const auto* name = step.as_object().if_contains("method");
      if (name != nullptr && name->as_string().ends_with(method)) callback(step.as_object());
    }
  }
}

std::string hex_of(const boost::json::value& message) {
  return from_hex(std::string(message.at("hex").as_string()));
}

Job full_job() {
  Job job;
  job.name = "j";
  job.displayname = "J";
  job.timezone = "Europe/Berlin";
  job.schedule = "@every 1m";
  job.owner = "o";
  job.owner_email = "o@example.com";
  job.disabled = true;
  job.tags = StringMap{{"dc", "dc1:1"}};
  job.metadata = StringMap{};
  job.retries = 3;
  job.parent_job = "p";
  job.processors = {{"files", {}}, {"log", {{"forward", "true"}}}};
  job.concurrency = "forbid";
  job.executor = "shell";
  job.executor_config = StringMap{{"command", "true"}};
  job.ephemeral = true;
  job.expires_at = Instant::from_unix(2'000'000'000);
  job.starts_at = Instant::from_unix(1'000'000'000, 5);
  job.dst_policy = "skip";
  job.missed_runs = MissedRuns{MissedPolicy::All, seconds(90)};
  job.keep_executions = 7;
  job.uid = 11;
  job.revision = 12;
  job.schedule_revision = 13;
  job.version = 14;
  job.success_count = 15;
  job.error_count = 16;
  job.last_success = Instant::from_unix(1'700'000'000, 1);
  job.last_error = Instant::from_unix(1'700'000'001);
  job.dependent_jobs = {"a", "b"};
  job.status = "failed";
  job.next = Instant::from_unix(1'900'000'000);
  job.last_instant = Instant::from_unix(1'700'000'002);
  job.open_groups = 2;
  return job;
}

TEST(Wire, a_job_survives_the_way) {
  types::v1::Job message;
  to_wire(full_job(), &message);
  const Job read = from_wire(parse<types::v1::Job>(bytes_of(message)));
  EXPECT_EQ(json_of(read), json_of(full_job()));
  EXPECT_EQ(read.uid, 11U);
  EXPECT_EQ(read.revision, 12U);
  EXPECT_EQ(read.schedule_revision, 13U);
  EXPECT_EQ(read.version, 14U);
  EXPECT_EQ(read.last_instant, full_job().last_instant);
  EXPECT_EQ(read.open_groups, 2U);
  types::v1::Job again;
  to_wire(read, &again);
  EXPECT_EQ(bytes_of(again), bytes_of(message));
}

TEST(Wire, null_maps_and_empty_ones_stay_apart) {
  Job job = full_job();
  job.tags->clear();
  job.metadata.reset();
  job.executor_config.reset();
  types::v1::Job message;
  to_wire(job, &message);
  const Job read = from_wire(message);
  EXPECT_TRUE(read.tags.has_value());
  EXPECT_FALSE(read.metadata.has_value());
  EXPECT_FALSE(read.executor_config.has_value());
}

TEST(Wire, an_execution_survives_the_way) {
  Execution e;
  e.job_name = "j";
  e.started_at = Instant::from_unix(1'700'000'000, 7);
  e.finished_at = Instant::from_unix(1'700'000'001);
  e.success = true;
  e.lost = true;
  e.output = std::string("\xff\0x", 3);
  e.node_name = "n";
  e.group = -5;
  e.attempt = 2;
  e.scheduled_at = Instant::from_unix(1'600'000'000);
  e.output_bytes = 1 << 30;
  e.output_truncated = true;
  types::v1::Execution message;
  to_wire(e, &message);
  const Execution read = from_wire(parse<types::v1::Execution>(bytes_of(message)));
  EXPECT_EQ(read.id(), e.id());
  EXPECT_EQ(read.output, e.output);
  EXPECT_EQ(read.finished_at, e.finished_at);
  EXPECT_EQ(read.scheduled_at, e.scheduled_at);
  EXPECT_EQ(read.output_bytes, e.output_bytes);
  types::v1::Execution again;
  to_wire(read, &again);
  EXPECT_EQ(bytes_of(again), bytes_of(message));
}

TEST(Wire, no_time_is_year_one_and_absent_is_no_time) {
  types::v1::Execution message;
  EXPECT_TRUE(from_wire(message).started_at.is_zero());
  to_wire(Execution(), &message);
  EXPECT_EQ(message.started_at().seconds(), Instant::kZeroSeconds);
  EXPECT_EQ(message.finished_at().seconds(), Instant::kZeroSeconds);
  types::v1::Job job;
  EXPECT_TRUE(from_wire(job).next.is_zero());
  EXPECT_TRUE(from_wire(job).last_success.is_zero());
  to_wire(Job(), &job);
  EXPECT_EQ(job.next().seconds(), Instant::kZeroSeconds);
  EXPECT_TRUE(job.has_last_success() && job.has_last_error() && job.has_expires_at() &&
              job.has_starts_at());
  EXPECT_FALSE(job.last_success().has_value());
}

TEST(Wire, a_time_without_value_counts_for_nothing) {
  types::v1::Job job;
  job.mutable_last_error()->mutable_time()->set_seconds(1'700'000'000);
  job.mutable_last_success()->set_has_value(true);
  EXPECT_TRUE(from_wire(job).last_error.is_zero());
  EXPECT_TRUE(from_wire(job).last_success.is_zero());
}

TEST(Wire, times_that_are_none_are_brought_into_range) {
  types::v1::Execution message;
  message.mutable_started_at()->set_seconds(std::numeric_limits<std::int64_t>::min());
  message.mutable_started_at()->set_nanos(-1);
  message.mutable_finished_at()->set_seconds(std::numeric_limits<std::int64_t>::max());
  message.mutable_finished_at()->set_nanos(2'000'000'000);
  const Execution read = from_wire(message);
  EXPECT_TRUE(read.started_at.is_zero());
  EXPECT_EQ(format_rfc3339(read.finished_at), "9999-12-31T23:59:59.999999999Z");
}

TEST(Wire, writes_jobs_as_the_original_does) {
  int seen = 0;
  for_each_step("run", "/RunJob", [&](const boost::json::object& step) {
    if (step.if_contains("response") == nullptr) return;
    const std::string recorded = hex_of(step.at("response"));
    const auto message = parse<types::v1::RunJobResponse>(recorded);
    // Ours sends no epoch for "no next run" of a child.
    if (message.job().next().seconds() == 0) return;
    types::v1::RunJobResponse again;
    to_wire(from_wire(message.job()), again.mutable_job());
    EXPECT_EQ(bytes_of(again), recorded) << again.ShortDebugString();
    ++seen;
  });
  EXPECT_GT(seen, 1);
}

TEST(Wire, reads_jobs_that_others_sent) {
  int seen = 0;
  for (const char* file : {"job", "done", "run"}) {
    for_each_step(file, "/SetJob", [&](const boost::json::object& step) {
      const auto message = parse<types::v1::SetJobRequest>(hex_of(step.at("request")));
      const auto& json = step.at("request").at("json").at("job").as_object();
      const Job job = from_wire(message.job());
      EXPECT_EQ(job.name, json.at("name").as_string());
      const auto* config = json.if_contains("executor_config");
      EXPECT_EQ(job.executor_config.has_value(), config != nullptr);
      if (config != nullptr) {
        const auto command = config->at("command").as_string();
        EXPECT_EQ(job.executor_config->at("command"), command);
      }
      ++seen;
    });
  }
  EXPECT_GT(seen, 10);
}

TEST(Wire, reads_executions_of_the_original) {
  int seen = 0;
  for_each_step("agentrun", "/AgentRun", [&](const boost::json::object& step) {
    for (const auto& recorded : step.at("stream").as_array()) {
      const auto message = parse<types::v1::AgentRunStream>(hex_of(recorded));
      const auto& json = recorded.at("json").at("execution").as_object();
      const Execution read = from_wire(message.execution());
      EXPECT_EQ(read.job_name, json.at("job_name").as_string());
      EXPECT_EQ(format_rfc3339(read.started_at), json.at("started_at").as_string());
      const auto* finished = json.if_contains("finished_at");
      EXPECT_EQ(read.finished_at.is_zero(), finished == nullptr);
      if (finished != nullptr) {
        types::v1::AgentRunStream again;
        to_wire(read, again.mutable_execution());
        EXPECT_EQ(bytes_of(again), hex_of(recorded));
      }
      ++seen;
    }
  });
  EXPECT_GT(seen, 5);
}

}  // namespace
}  // namespace dkron::model
