#include "discovery/k8s.h"

#include <mutex>

#include "base/test_directory.h"
#include "discovery/discovery.h"
#include "discovery/test_support.h"
#include "net/http_server.h"
#include "net/test_support.h"

namespace dkron::discovery {
namespace {

using test::make_query;
using test::show;

std::string pod(const std::string& ip, const std::string& more_metadata = "",
                const std::string& ports = "[]", const std::string& phase = "Running") {
  return R"({"metadata":{"name":"p")" + more_metadata + R"(},"spec":{"containers":[{"ports":)" +
         ports + R"(}]},"status":{"phase":")" + phase + R"(","podIP":")" + ip +
         R"(","hostIP":"192.168.0.1"}})";
}

std::string list(const std::string& items, const std::string& next_page = "") {
  return R"({"kind":"PodList","metadata":{"continue":")" + next_page + R"("},"items":[)" + items +
         "]}";
}

std::string addresses_of(const std::string& json, bool host_network = false) {
  const auto page = parse_pods(json, host_network, 8946);
  return page ? show(page->addresses) : "error: " + page.error().message;
}

std::string annotated(const std::string& value) {
  return R"(,"annotations":{"consul.hashicorp.com/auto-join-port":")" + value + "\"}";
}

TEST(KubernetesPods, count_when_they_run_and_have_an_address) {
  EXPECT_EQ(addresses_of(list(pod("10.0.0.1") + "," + pod("") + "," +
                              pod("10.0.0.2", "", "[]", "Pending") + "," + pod("fd00::1"))),
            "10.0.0.1:8946 [fd00::1]:8946");
}

TEST(KubernetesPods, count_before_they_are_ready) {
  std::string json = pod("10.0.0.1");
  json.insert(json.size() - 2, R"(,"conditions":[{"type":"Ready","status":"False"}])");
  EXPECT_EQ(addresses_of(list(json)), "10.0.0.1:8946");
}

TEST(KubernetesPods, name_their_port_by_annotation) {
  const std::string ports = R"([{"name":"serf","containerPort":7946,"hostPort":17946},
                               {"name":"inner","containerPort":1}])";
  EXPECT_EQ(addresses_of(list(pod("10.0.0.1", annotated("serf"), ports))), "10.0.0.1:7946");
  EXPECT_EQ(addresses_of(list(pod("10.0.0.1", annotated("9000"), ports))), "10.0.0.1:9000");
  EXPECT_EQ(addresses_of(list(pod("10.0.0.1", annotated("other"), ports))), "");
  EXPECT_EQ(addresses_of(list(pod("10.0.0.1", annotated("70000"), ports))), "");
  const std::string own = R"(,"annotations":{"dkron.io/auto-join-port":"inner"})";
  EXPECT_EQ(addresses_of(list(pod("10.0.0.1", own, ports))), "10.0.0.1:1");
  EXPECT_EQ(addresses_of(list(pod("10.0.0.1", annotated("serf"), ports)), true),
            "192.168.0.1:17946");
  EXPECT_EQ(addresses_of(list(pod("10.0.0.1", annotated("inner"), ports)), true), "");
}

TEST(KubernetesPods, are_left_out_when_their_json_is_odd) {
  EXPECT_EQ(addresses_of(R"({"items":[1,null,{},{"status":1},{"status":{"phase":"Running"}},
                             {"status":{"phase":"Running","podIP":"name"}},
                             {"status":{"phase":"Running","podIP":"10.0.0.1"},"spec":[],
                              "metadata":{"annotations":7}}]})"),
            "10.0.0.1:8946");
  for (const char* text : {"", "{", "[]", "{}", R"({"items":{}})"}) {
    EXPECT_EQ(addresses_of(text), "error: the answer of the API server is no list of pods") << text;
  }
  EXPECT_FALSE(parse_pods(std::string(100'000, '['), false, 1));
}

// An API server: answers with what the test says, and remembers what it was asked.
class KubernetesTest : public testing::Test {
 protected:
  KubernetesTest() {
    loop_.run([this] {
      net::HttpServerOptions options;
      options.host = "127.0.0.1";
      options.port = 0;
      server_ = *net::HttpServer::listen(
          loop_.loop(), options,
          [this](net::Request request, net::Responder responder) { responder(answer(request)); });
    });
    access_ = {"http://127.0.0.1:" + std::to_string(server_->port()), directory_.path()};
    EXPECT_TRUE(write_file_durably(directory_.path() / "token", "secret-token\n"));
    EXPECT_TRUE(write_file_durably(directory_.path() / "namespace", "prod"));
  }
  ~KubernetesTest() override {
    loop_.run([this] { server_.reset(); });
  }

  net::Response answer(const net::Request& request) {
    const std::lock_guard lock(mutex_);
    targets_.push_back(request.target);
    authorization_ = net::find_header(request.headers, "Authorization");
    const auto* page = request.find_query("continue");
    net::Response response;
    response.status = status_;
    response.body = page == nullptr ? first_page_ : second_page_;
    return response;
  }
  std::string ask(Parameters parameters) {
    return show(list_pods(make_query(std::move(parameters)), access_));
  }

  testing_support::TemporaryDirectory directory_;
  KubernetesAccess access_;
  std::mutex mutex_;
  std::vector<std::string> targets_;
  std::string authorization_;
  int status_ = 200;
  std::string first_page_ = list(pod("10.0.0.1"));
  std::string second_page_;
  net::test::LoopThread loop_;
  std::unique_ptr<net::HttpServer> server_;
};

TEST_F(KubernetesTest, asks_for_the_pods_of_its_own_namespace_with_its_token) {
  EXPECT_EQ(ask({}), "10.0.0.1:8946");
  EXPECT_EQ(targets_, (std::vector<std::string>{"/api/v1/namespaces/prod/pods?limit=100"}));
  EXPECT_EQ(authorization_, "Bearer secret-token");
}

TEST_F(KubernetesTest, passes_namespace_and_selectors_encoded) {
  EXPECT_EQ(ask({{"namespace", "a/../b"},
                 {"label_selector", "app=dkron,tier in (a,b)"},
                 {"field_selector", "x&y=+"},
                 {"host_network", "true"}}),
            "192.168.0.1:8946");
  EXPECT_EQ(targets_,
            (std::vector<std::string>{"/api/v1/namespaces/a%2F..%2Fb/pods?limit=100"
                                      "&labelSelector=app%3Ddkron%2Ctier%20in%20%28a%2Cb%29"
                                      "&fieldSelector=x%26y%3D%2B"}));
}

TEST_F(KubernetesTest, follows_the_pages) {
  first_page_ = list(pod("10.0.0.1"), "to+ken");
  second_page_ = list(pod("10.0.0.2"));
  EXPECT_EQ(ask({}), "10.0.0.1:8946 10.0.0.2:8946");
  ASSERT_EQ(targets_.size(), 2U);
  EXPECT_EQ(targets_[1], "/api/v1/namespaces/prod/pods?limit=100&continue=to%2Bken");
}

TEST_F(KubernetesTest, ends_with_a_server_whose_pages_do_not) {
  first_page_ = second_page_ = list("", "again");
  EXPECT_EQ(ask({}), "error: discover-k8s: more than 6400 pods match; narrow the label_selector");
  EXPECT_EQ(targets_.size(), 64U);
}

TEST_F(KubernetesTest, tells_what_the_server_said_but_not_the_token) {
  status_ = 403;
  first_page_ = R"({"message":"pods is forbidden"})";
  EXPECT_EQ(ask({}),
            "error: discover-k8s: error listing pods: the API server answered 403 "
            R"("{\"message\":\"pods is forbidden\"}")");
}

TEST_F(KubernetesTest, tells_a_missing_token) {
  std::filesystem::remove(directory_.path() / "token");
  EXPECT_EQ(ask({}).find("error: discover-k8s: error loading in-cluster config: "), 0U);
}

TEST_F(KubernetesTest, tells_wrong_keys) {
  EXPECT_EQ(ask({{"host_network", "maybe"}}),
            "error: discover-k8s: host_network must be boolean value: strconv.ParseBool: parsing "
            "\"maybe\": invalid syntax");
  EXPECT_EQ(show(k8s_provider(make_query({{"kubeconfig", "/x"}}))),
            "error: discover-k8s: kubeconfig is not supported, only the service account of the "
            "pod; outside of a cluster use provider=exec with kubectl");
}

}  // namespace
}  // namespace dkron::discovery
