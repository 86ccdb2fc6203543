// The http executor over a fetch function of the test; the transport has its own tests in net/.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "executor/builtin.h"
#include "executor/http_config.h"
#include "process/test_support.h"

namespace dkron::executor {
namespace {

namespace json = boost::json;

class HttpTest : public testing::Test {
 protected:
  void SetUp() override {
    executor_ = make_http_executor(loop_, [this](const net::FetchOptions& options) {
      std::lock_guard lock(mutex_);
      request_ = options;
      return answer_;
    });
    answer_ = net::FetchResult{200, {}, "{\"status\":\"healthy\"}", false};
  }
  void start(Config config) {
    RunContext context;
    context.job_name = "job-1";
    context.config = std::move(config);
    context.spool_path = spool_path();
    result_.reset();
    Events events;
    events.started = [this](std::optional<process::ProcessId> id) {
      EXPECT_FALSE(id) << "there is no process";
      EXPECT_FALSE(result_) << "began behind its end";
    };
    events.finished = [this](RunResult result) {
      EXPECT_FALSE(result_) << "finished twice";
      result_ = std::move(result);
      loop_.stop();
    };
    run_ = executor_->start(std::move(context), std::move(events));
  }
  RunResult wait() {
    testing_support::run_until(loop_, [this] { return result_.has_value(); });
    return result_.value_or(RunResult{});
  }
  RunResult run(Config config) {
    std::filesystem::remove(spool_path());
    start(std::move(config));
    return wait();
  }
  // With method and url.
  RunResult get(Config config) {
    config.emplace("method", "GET");
    config.emplace("url", "http://127.0.0.1:1/health");
    return run(std::move(config));
  }
  std::string header(std::string_view name) const {
    for (const auto& [key, value] : request_.headers) {
      if (key == name) return value;
    }
    return "(none)";
  }
  Path spool_path() const { return directory_.path() / "spool"; }
  std::string output() const { return testing_support::content_of(spool_path()); }
  std::string refused(const Config& config) const {
    const auto valid = executor_->validate(config);
    return valid ? "" : valid.error().message;
  }

  testing_support::TemporaryDirectory directory_;
  net::Loop loop_;
  std::mutex mutex_;
  net::FetchOptions request_;
  Result<net::FetchResult> answer_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<executor::Run> run_;
  std::optional<RunResult> result_;
};

// The recorded jobs; what the transport says of wrong URLs and refused connections is told in net/.
TEST_F(HttpTest, gives_the_recorded_results) {
  const auto text =
      read_file(Path(DKRON_SOURCE_DIR) / "tests/golden/executions/http.json", 1 << 20);
  ASSERT_TRUE(text);
  int replayed = 0;
  const json::value recorded = json::parse(*text);
  for (const json::value& entry : recorded.at("entries").as_array()) {
    const std::string name(entry.at("name").as_string());
    if (name == "http.bad_url" || name == "http.refused") continue;
    Config config;
    std::string expected;
    bool success = false;
    for (const json::value& step : entry.at("steps").as_array()) {
      const auto* request = step.as_object().if_contains("request");
      if (request == nullptr) continue;
      const std::string_view path = request->at("path").as_string();
      if (path == "/v1/jobs") {
        const json::value job = json::parse(request->at("body").as_string());
        for (const auto& member : job.at("executor_config").as_object()) {
          config[std::string(member.key())] = member.value().as_string();
        }
      } else if (path.ends_with("/executions")) {
        std::string body(step.at("response").at("body").as_string());
        // A placeholder that stands where a number was.
        const std::string number = ":<ns>";
        body.replace(body.find(number), number.size(), ":0");
        const json::value list = json::parse(body);
        const json::object& execution = list.as_array().at(0).as_object();
        success = execution.at("success").as_bool();
        expected = execution.at("output").as_string();
      }
    }
    if (const auto port = config["url"].find("${HTTP_PORT}"); port != std::string::npos) {
      config["url"].replace(port, 12, "<http-port-1>");
    }
    answer_ = config["url"].ends_with("/nope")
                  ? net::FetchResult{404, {}, "404 page not found", false}
                  : net::FetchResult{200, {}, "{\"leader\":true,\"status\":\"healthy\"}", false};
    EXPECT_EQ(refused(config), "") << name;
    if (config["url"].empty()) config.erase("url");
    const RunResult result = run(config);
    EXPECT_EQ(result.success, success) << name;
    const std::string head = result.error.empty() ? "" : result.error + "\n";
    EXPECT_EQ(head + output(), expected) << name;
    ++replayed;
  }
  EXPECT_GE(replayed, 10);
}

TEST_F(HttpTest, sends_what_the_job_says) {
  run({{"method", "POST"},
       {"url", "http://h/"},
       {"body", "data"},
       {"timeout", "5"},
       {"headers", R"(["X-A: http://b:1/", "Content-Type:text/plain", "", "nonsense"])"}});
  EXPECT_EQ(request_.method, "POST");
  EXPECT_EQ(request_.url, "http://h/");
  EXPECT_EQ(request_.body, "data");
  EXPECT_EQ(request_.timeout, seconds(5));
  EXPECT_EQ(header("X-A"), "http://b:1/");
  EXPECT_EQ(header("Content-Type"), "text/plain");
  EXPECT_EQ(header("User-Agent"), "Go-http-client/1.1");
  EXPECT_EQ(output(), "Error: header without a colon: \"nonsense\"\n{\"status\":\"healthy\"}");
}

TEST_F(HttpTest, knows_credentials_and_encoded_bodies) {
  get({{"username", "user"}, {"password", "secret"}, {"bodyBase64", "AAE="}});
  EXPECT_EQ(header("Authorization"), "Basic dXNlcjpzZWNyZXQ=");
  EXPECT_EQ(request_.body, std::string("\0\1", 2));
}

TEST_F(HttpTest, a_header_cannot_break_out_of_its_line) {
  EXPECT_EQ(get({{"headers", R"(["X-A: b\r\nX-Evil: 1"])"}}).error,
            "Get \"http://127.0.0.1:1/health\": net/http: invalid header field value for \"X-A\"");
  EXPECT_EQ(get({{"headers", R"(["X A: b"])"}}).error,
            "Get \"http://127.0.0.1:1/health\": net/http: invalid header field name \"X A\"");
  EXPECT_EQ(run({{"method", "GE T"}, {"url", "http://h/"}}).error,
            "net/http: invalid method \"GE T\"");
}

TEST_F(HttpTest, reads_the_timeout_in_whole_seconds) {
  get({});
  EXPECT_EQ(request_.timeout, seconds(30));
  get({{"timeout", "0"}});
  EXPECT_EQ(request_.timeout, seconds(0));
  get({{"timeout", "-3"}});
  EXPECT_EQ(request_.timeout, seconds(0));
  get({{"timeout", "1m"}});
  EXPECT_EQ(request_.timeout, seconds(30));
  EXPECT_EQ(output(),
            "Warning: invalid timeout value: \"1m\" not understood (strconv.Atoi: parsing \"1m\": "
            "invalid syntax), using default value of 30.\n{\"status\":\"healthy\"}");
}

TEST_F(HttpTest, compares_codes_exactly) {
  constexpr const char* kMismatch = "received response code does not match the expected code";
  EXPECT_TRUE(get({{"expectCode", "200, 206"}}).success);
  EXPECT_TRUE(get({{"expectCode", "2xx"}}).success);
  EXPECT_TRUE(get({{"expectCode", "500,200-299"}}).success);
  EXPECT_EQ(get({{"expectCode", "1200"}}).error, kMismatch);
  EXPECT_EQ(get({{"expectCode", "x,404"}}).error, kMismatch);
  EXPECT_TRUE(get({{"expectCode", "x,200"}}).success);
}

TEST_F(HttpTest, matches_the_body) {
  constexpr const char* kMismatch = "received response body did not match the expected body";
  EXPECT_TRUE(get({{"expectBody", "heal+"}}).success);
  EXPECT_TRUE(get({{"expectBody", "/healthy/"}}).success);
  EXPECT_EQ(get({{"expectBody", "^healthy"}}).error, kMismatch);
  EXPECT_EQ(get({{"expectBody", "("}}).error, kMismatch);
  EXPECT_EQ(get({{"expectBody", "x"}, {"expectCode", "500"}}).error,
            "received response code does not match the expected code");
}

TEST_F(HttpTest, refuses_wrong_configs_when_the_job_is_saved) {
  EXPECT_EQ(refused({{"expectBody", "("}}), "expectBody: missing ): (");
  EXPECT_EQ(refused({{"expectCode", "x"}}), "expectCode: \"x\" is neither a number nor a range");
  EXPECT_EQ(refused({{"bodyBase64", "!"}}), "bodyBase64: illegal base64 data at input byte 0");
  EXPECT_EQ(refused({{"tlsRootCAsFile", "/x"}}), "tlsRootCAsFile: not available yet");
  EXPECT_EQ(refused({{"tlsNoVerifyPeer", "true"}}), "tlsNoVerifyPeer: not available yet");
  EXPECT_EQ(refused({{"tlsNoVerifyPeer", "false"}}), "");
  EXPECT_EQ(refused({{"proxy", "x"}}), "proxy: not available yet");
}

TEST_F(HttpTest, hides_secrets_in_the_debug_dump) {
  get({{"debug", "false"},
       {"url", "http://user:pw@h/a@b"},
       {"password", "pw"},
       {"username", "u"},
       {"headers", R"(["Authorization: Bearer pw","X-A: 1"])"}});
  EXPECT_EQ(output().find("pw"), std::string::npos) << output();
  EXPECT_NE(output().find("http://***@h/a@b"), std::string::npos) << output();
  EXPECT_NE(output().find("X-A: 1"), std::string::npos) << output();
}

TEST_F(HttpTest, reports_errors_of_the_transport_and_a_cut_body) {
  answer_ = fail(ErrorCode::Io, "Get \"x\": EOF");
  EXPECT_EQ(get({}).error, "Get \"x\": EOF");
  answer_ = net::FetchResult{200, {}, "abc", true};
  EXPECT_EQ(get({}).trailer, "Warning: the response body was cut after 3 bytes.");
}

TEST_F(HttpTest, reports_an_output_file_that_cannot_be_written) {
  ASSERT_TRUE(std::filesystem::create_directory(spool_path()));
  start({{"method", "GET"}, {"url", "http://h/"}});
  EXPECT_EQ(wait().error.substr(0, 29), "cannot write the output file:");
}

// A fetch that lasts until it is canceled.
class SlowHttpTest : public HttpTest {
 protected:
  void SetUp() override {
    executor_ = make_http_executor(
        loop_, [this](const net::FetchOptions& options) -> Result<net::FetchResult> {
          {
            std::lock_guard lock(mutex_);
            ++under_way_;
          }
          wake_.notify_all();
          while (!*options.canceled) std::this_thread::yield();
          return fail(ErrorCode::Canceled, "broken off");
        });
  }
  void wait_for_fetch() {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(wake_.wait_for(lock, std::chrono::seconds(20), [this] { return under_way_ > 0; }));
  }
  std::condition_variable wake_;
  int under_way_ = 0;
};

TEST_F(SlowHttpTest, breaks_off_a_canceled_request) {
  start({{"method", "GET"}, {"url", "http://h/"}});
  wait_for_fetch();
  run_->cancel("enough");
  run_->cancel("twice");
  EXPECT_EQ(wait().error, "canceled: enough");
}

TEST_F(SlowHttpTest, ends_with_requests_under_way) {
  start({{"method", "GET"}, {"url", "http://h/"}});
  wait_for_fetch();
  executor_.reset();
  EXPECT_FALSE(result_);
}

}  // namespace
}  // namespace dkron::executor
