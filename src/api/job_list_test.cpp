// GET /v1/jobs and what creates jobs, through the Api with a state machine over a store in memory.
#include <boost/json.hpp>

#include "api/api.h"
#include "api/test_support.h"
#include "model/rows.h"
#include "state/test_support.h"

namespace dkron::api {
namespace {

using net::Method;
using testing_support::Answer;
using testing_support::header;
using testing_support::request_of;

// Applies at once what is asked.
class FakeControl final : public state::Control {
 public:
  using OnDone = state::OnDone;
  using OnJob = state::OnJob;
  explicit FakeControl(state::testing_support::Bench* bench) : bench_(bench) {}
  void set_job(model::Job job, state::SetJobOptions, OnJob done) override {
    if (refusal) return done(fail(*refusal));
    store::SetJobCommand command;
    *command.mutable_definition() = model::to_definition(job);
    finish(bench_->apply(state::Kind::SetJob, command), [job, done](const Result<void>& applied) {
      if (applied) {
        done(job);
      } else {
        done(fail(applied.error()));
      }
    });
  }
  void delete_job(std::string name, OnDone done) override {
    store::DeleteJobCommand command;
    command.set_name(name);
    finish(bench_->apply(state::Kind::DeleteJob, command), done);
  }
  void toggle_job(std::string, state::ToggleWish, OnJob done) override { done(model::Job{}); }
  void delete_executions(std::string, OnDone done) override { done({}); }
  void set_paused(bool, OnDone done) override { done({}); }
  void run_job(std::string, state::RunOptions, OnRun done) override {
    done(fail(ErrorCode::Unavailable, "no leader"));
  }
  bool is_leader() const override { return true; }
  std::string leader_name() const override { return "node1"; }

  std::optional<Error> refusal;
  std::function<void()> on_applied;

 private:
  void finish(const raft::Outcome& outcome, const OnDone& done) {
    on_applied();
    if (outcome.code == ErrorCode::Ok) {
      done({});
    } else {
      done(fail(outcome.code, outcome.message));
    }
  }
  state::testing_support::Bench* bench_;
};

class JobListTest : public testing::Test {
 protected:
  JobListTest()
      : control_(&bench_),
        workers_(1),
        api_(Services{.loop = loop_,
                      .workers = workers_,
                      .clock = system_clock(),
                      .control = control_,
                      .index = index_,
                      .store = bench_.store,
                      .node_name = "node1",
                      .version = "1",
                      .ui_enabled = false}) {
    control_.on_applied = [this] { follow(); };
  }

  void follow() {
    for (const state::Change& change : bench_.changes) {
      if (const auto* changed = std::get_if<state::JobChanged>(&change)) index_.apply(*changed);
      if (const auto* deleted = std::get_if<state::JobDeleted>(&change)) index_.apply(*deleted);
    }
  }
  net::Response ask(Method method, const std::string& target, std::string body = "") {
    Answer answer;
    net::Request request = request_of(method, target);
    request.body = std::move(body);
    api_.handle(std::move(request), answer.responder());
    return answer.get();
  }
  void add(const std::string& json) {
    const auto response = ask(Method::Post, "/v1/jobs", json);
    ASSERT_EQ(response.status, 201) << response.body;
  }
  // The names in the answer, and the total behind a slash.
  std::string names(const std::string& query) {
    const auto response = ask(Method::Get, "/v1/jobs" + query);
    EXPECT_EQ(response.status, 200) << query << ": " << response.body;
    std::string names;
    const auto body = boost::json::parse(response.body);
    for (const auto& job : body.as_array()) names += job.at("name").as_string();
    return names + "/" + header(response, "X-Total-Count");
  }
  void add_three() {
    add(R"({"name":"b","displayname":"Zwei","schedule":"@every 1s","owner":"me","retries":9,
            "metadata":{"k":"1","l":"2"},"starts_at":"2026-01-01T00:00:05.5Z"})");
    add(R"({"name":"a","displayname":"eins","schedule":"@every 3s","tags":{"dc":"x"},"retries":10,"executor":"shell",
            "starts_at":"2026-01-01T00:00:05Z"})");
    add(R"({"name":"c","displayname":"drei","schedule":"@every 2s","metadata":{"k":"1"},"disabled":true,
            "starts_at":"2026-01-01T00:00:05.25Z"})");
    bench_.launch("b", 10);
    follow();
    bench_.finish("b", 10, true);
    follow();
  }

  net::Loop loop_;
  state::testing_support::Bench bench_;
  state::JobIndex index_;
  FakeControl control_;
  net::WorkerPool workers_;
  Api api_;
};

TEST_F(JobListTest, an_empty_list_is_an_empty_array) {
  const auto response = ask(Method::Get, "/v1/jobs");
  EXPECT_EQ(response.body, "[]");
  EXPECT_EQ(header(response, "X-Total-Count"), "0");
}

TEST_F(JobListTest, sorts_by_every_field_and_refuses_others) {
  add_three();
  EXPECT_EQ(names(""), "abc/3");
  EXPECT_EQ(names("?_sort="), "abc/3");
  EXPECT_EQ(names("?_sort=name&_order=DESC"), "cba/3");
  EXPECT_EQ(names("?_sort=name&_order=desc"), "abc/3");
  EXPECT_EQ(names("?_sort=displayname"), "cab/3");
  EXPECT_EQ(names("?_sort=schedule"), "bca/3");
  EXPECT_EQ(names("?_sort=schedule&_order=DESC"), "acb/3");
  EXPECT_EQ(names("?_sort=success_count&_order=DESC"), "bca/3");
  EXPECT_EQ(names("?_sort=last_success"), "bac/3");
  EXPECT_EQ(names("?_sort=next&_order=DESC"), "bca/3");
  EXPECT_EQ(names("?_sort=retries"), "cba/3");
  EXPECT_EQ(names("?_sort=starts_at"), "acb/3");
  EXPECT_EQ(names("?_sort=disabled"), "abc/3");
  for (const char* field :
       {"id", "error_count", "last_error", "status", "timezone", "owner", "owner_email", "executor",
        "parent_job", "concurrency", "ephemeral", "expires_at"}) {
    EXPECT_EQ(names(std::string("?_sort=") + field).size(), 5U) << field;
  }
  for (const char* field : {"started_at", "attempt", "nothing", "Name", "tags"}) {
    const auto response = ask(Method::Get, std::string("/v1/jobs?_sort=") + field);
    EXPECT_EQ(response.status, 400);
    EXPECT_EQ(response.body, std::string("cannot sort by ") + field);
  }
}

TEST_F(JobListTest, pages_and_answers_pages_that_do_not_exist_with_none) {
  add_three();
  for (const char* sort : {"", "&_sort=schedule", "&_sort=displayname"}) {
    EXPECT_EQ(names(std::string("?_start=1&_end=2") + sort).size(), 3U);
    EXPECT_EQ(names(std::string("?_end=99") + sort).size(), 5U);
    EXPECT_EQ(names(std::string("?_start=x&_end=99") + sort).size(), 5U);
    for (const char* page : {"_start=3", "_start=99&_end=100", "_start=2&_end=1", "_start=-1",
                             "_end=-1", "_end=x", "_end=0", "_start=99999999999999999999"}) {
      EXPECT_EQ(names("?" + std::string(page) + sort), "/3") << page << sort;
    }
  }
  EXPECT_EQ(names("?_start=1"), "bc/3");
}

TEST_F(JobListTest, filters_are_combined_by_and) {
  add_three();
  EXPECT_EQ(names("?metadata[k]=1"), "bc/2");
  EXPECT_EQ(names("?metadata[k]=1&metadata[l]=2"), "b/1");
  EXPECT_EQ(names("?metadata%5Bk%5D=1"), "bc/2");
  EXPECT_EQ(names("?metadata[k]=1&metadata[k]=2"), "bc/2");
  EXPECT_EQ(names("?metadata[]=x&metadata=x"), "abc/3");
  EXPECT_EQ(names("?metadata[none]="), "/0");
  EXPECT_EQ(names("?tags[dc]=x"), "a/1");
  EXPECT_EQ(names("?owner=me"), "b/1");
  EXPECT_EQ(names("?owner="), "ac/2");
  EXPECT_EQ(names("?executor=shell"), "a/1");
  EXPECT_EQ(names("?parent_job="), "abc/3");
  EXPECT_EQ(names("?id=c&id=a&id=nobody"), "ac/2");
  EXPECT_EQ(names("?status=success"), "b/1");
  EXPECT_EQ(names("?status=untriggered"), "ac/2");
  EXPECT_EQ(names("?status=nothing"), "/0");
  EXPECT_EQ(names("?disabled=true"), "c/1");
  EXPECT_EQ(names("?disabled=false"), "ab/2");
  EXPECT_EQ(names("?disabled=maybe"), "/0");
  EXPECT_EQ(names("?q=EI"), "abc/3");
  EXPECT_EQ(names("?q=zw&disabled=false"), "b/1");
  EXPECT_EQ(names("?metadata[k]=1&_sort=schedule&_order=DESC&_start=0&_end=1"), "c/2");
}

TEST_F(JobListTest, a_change_is_in_the_next_list) {
  add_three();
  EXPECT_NE(ask(Method::Get, "/v1/jobs").body.find("Zwei"), std::string::npos);
  add(R"({"name":"b","displayname":"Two","schedule":"@every 1s"})");
  const auto body = ask(Method::Get, "/v1/jobs").body;
  EXPECT_EQ(body.find("Zwei"), std::string::npos);
  EXPECT_NE(body.find("Two"), std::string::npos);
  const auto one = ask(Method::Get, "/v1/jobs/b");
  EXPECT_NE(body.find(one.body), std::string::npos);
}

TEST_F(JobListTest, a_created_job_is_answered_as_stored) {
  const auto response =
      ask(Method::Post, "/v1/jobs", R"({"name":"ß","schedule":"@every 1s","status":"success"})");
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(header(response, "Location"), "/v1/jobs/%C3%9F");
  EXPECT_NE(response.body.find(R"("status":"")"), std::string::npos);
  EXPECT_EQ(ask(Method::Put, "/v1/jobs/a", R"({"schedule":"@every 1s"})").status, 201);
  const auto other = ask(Method::Put, "/v1/jobs/a", R"({"name":"b","schedule":"@every 1s"})");
  EXPECT_EQ(other.status, 400);
  EXPECT_EQ(other.body, "name in path and body differ");
}

TEST_F(JobListTest, refusals_have_the_texts_of_the_original) {
  auto response = ask(Method::Post, "/v1/jobs", R"({"name":5})");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body, "Unable to parse payload: Job.name must be a string, not number.");
  control_.refusal = Error{ErrorCode::InvalidArgument, "name cannot be empty"};
  response = ask(Method::Post, "/v1/jobs", "{}");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body, "Job validation failed: name cannot be empty.");
  control_.refusal.reset();
  response = ask(Method::Post, "/v1/jobs", R"({"name":"a","parent_job":"nobody"})");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body, "specified parent job not found");
  response = ask(Method::Post, "/v1/jobs", "{\"name\":\"a\",}");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body, "Unable to parse payload: unexpected '}' at byte 13.");
  response = ask(Method::Get, "/v1/jobs/nobody");
  EXPECT_EQ(response.status, 404);
  EXPECT_FALSE(response.body.empty());
  EXPECT_EQ(ask(Method::Post, "/v1/jobs/nobody/run").status, 503);
}

TEST_F(JobListTest, only_the_first_value_of_a_body_is_read_as_the_original_does) {
  add(R"({"name":"a","schedule":"@every 1s"} trailing {"x":1})");
  EXPECT_EQ(names(""), "a/1");
}

TEST_F(JobListTest, malformed_characters_are_replaced_and_the_answer_says_so) {
  for (const char* owner : {"a\xff", "a\\ud800"}) {
    const auto response =
        ask(Method::Post, "/v1/jobs",
            R"({"name":"a","schedule":"@every 1s","owner":")" + std::string(owner) + "\"}");
    EXPECT_EQ(response.status, 201);
    EXPECT_NE(response.body.find("\"owner\":\"a\xEF\xBF\xBD\""), std::string::npos);
    EXPECT_NE(header(response, "X-Dkron-Warning").find("U+FFFD"), std::string::npos);
  }
  const auto good = ask(Method::Post, "/v1/jobs", R"({"name":"a","schedule":"@every 1s"})");
  EXPECT_EQ(header(good, "X-Dkron-Warning"), "");
}

// Counts the definitions that are read.
class CountingReader final : public store::Reader {
 public:
  explicit CountingReader(const store::Reader* reader) : reader_(reader) {}
  Result<std::optional<std::string>> get(std::string_view key) const override {
    if (key.starts_with("j/")) ++reads;
    return reader_->get(key);
  }
  Result<void> scan(std::string_view from, std::string_view to,
                    const Visitor& visit) const override {
    return reader_->scan(from, to, visit);
  }
  mutable int reads = 0;

 private:
  const store::Reader* reader_;
};

state::JobRef ref_of(const state::testing_support::Bench& bench, const std::string& name) {
  const auto state = bench.state(name);
  return {state.uid(), state.version(), name};
}

TEST(JobCache, reads_a_job_once_for_each_version) {
  state::testing_support::Bench bench;
  bench.set_job(state::testing_support::job_named("a"));
  const CountingReader reader(&bench.store.reader());
  JobCache cache;
  const auto old = ref_of(bench, "a");
  const auto first = cache.get(reader, {old});
  ASSERT_TRUE(first);
  ASSERT_EQ(first->size(), 1U);
  EXPECT_EQ(cache.get(reader, {old, old})->at(1), first->at(0));
  EXPECT_EQ(reader.reads, 1);
  bench.launch("a", 10);
  EXPECT_NE(*cache.get(reader, {ref_of(bench, "a")})->at(0), *first->at(0));
  EXPECT_EQ(reader.reads, 2);
  // A newer one serves those who know an older version.
  EXPECT_NE(*cache.get(reader, {old})->at(0), *first->at(0));
  EXPECT_EQ(reader.reads, 2);
}

TEST(JobCache, leaves_deleted_jobs_out) {
  state::testing_support::Bench bench;
  bench.set_job(state::testing_support::job_named("a"));
  JobCache cache;
  const auto rendered = cache.get(bench.store.reader(), {{77, 1, "nobody"}, ref_of(bench, "a")});
  ASSERT_TRUE(rendered);
  EXPECT_EQ(rendered->size(), 1U);
}

TEST(JobCache, forgets_the_least_recently_used_at_its_limit) {
  state::testing_support::Bench bench;
  auto job = state::testing_support::job_named("");
  job.set_owner(std::string(JobCache::kLimitBytes / 100, 'x'));
  std::vector<state::JobRef> refs;
  for (int i = 0; i < 110; ++i) {
    job.set_name("job" + std::to_string(i));
    bench.set_job(job);
    refs.push_back(ref_of(bench, job.name()));
  }
  const CountingReader reader(&bench.store.reader());
  JobCache cache;
  for (const auto& ref : refs) {
    ASSERT_TRUE(cache.get(reader, {ref}));
    ASSERT_TRUE(cache.get(reader, {refs[0]}));  // Always in use.
  }
  EXPECT_EQ(reader.reads, 110);
  cache.get(reader, {refs[0], refs[109], refs[50]});
  EXPECT_EQ(reader.reads, 110);
  cache.get(reader, {refs[1]});
  EXPECT_EQ(reader.reads, 111);
}

}  // namespace
}  // namespace dkron::api
