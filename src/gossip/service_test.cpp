// The service on real sockets of this machine's loopback interface.
#include "gossip/service.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>

#include "base/base64.h"
#include "base/test_directory.h"

namespace dkron::gossip {
namespace {

const std::string kKey(32, 'k');
const std::string kOtherKey(32, 'o');

class ServiceTest : public testing::Test {
 protected:
  std::unique_ptr<Service> start(const std::string& name, const std::string& ip = "127.0.0.1",
                                 std::vector<std::string> keys = {}, Path keyring_file = {}) {
    Service::Options options = options_for(name, ip);
    options.keys = std::move(keys);
    options.keyring_file = std::move(keyring_file);
    auto service = Service::start(loop_, system_clock(), std::move(options), {});
    EXPECT_TRUE(service) << service.error().message;
    return service ? std::move(*service) : nullptr;
  }

  static Service::Options options_for(const std::string& name, const std::string& ip) {
    Service::Options options;
    options.bind = {*Ip::parse(ip), 0};
    options.serf.name = name;
    options.serf.advertise = {*Ip::parse(ip), 0};
    options.serf.tags = {{"name", name}};
    options.serf.profile = *find_profile("local");
    return options;
  }

  // Runs the loop until that holds; fails the test after ten seconds.
  void run_until(const std::function<bool()>& holds) {
    const Duration deadline = system_clock().steady() + seconds(10);
    auto timer = loop_.make_timer();
    std::function<void()> look = [&] {
      if (holds() || system_clock().steady() > deadline) return loop_.stop();
      timer->start(milliseconds(5), look);
    };
    loop_.post(look);
    loop_.run();
    EXPECT_TRUE(holds());
  }

  Result<std::size_t> join(Service& from, const Service& to) {
    std::optional<Result<std::size_t>> joined;
    from.serf().join({to.local()}, true, [&](Result<std::size_t> j) { joined = std::move(j); });
    run_until([&] { return joined.has_value(); });
    return joined.value_or(fail(ErrorCode::Internal, "no answer"));
  }

  static MemberStatus status(Service& at, const std::string& name) {
    const Member* member = at.serf().find(name);
    return member == nullptr ? MemberStatus::None : member->status;
  }

  net::Loop loop_;
  testing_support::TemporaryDirectory directory_;
};

TEST_F(ServiceTest, two_nodes_meet_and_part) {
  const auto a = start("a");
  const auto b = start("b");
  ASSERT_TRUE(join(*b, *a));
  run_until([&] { return status(*a, "b") == MemberStatus::Alive; });
  EXPECT_EQ(status(*b, "a"), MemberStatus::Alive);
  EXPECT_EQ(a->serf().find("b")->tags().at("name"), "b");
  bool has_left = false;
  b->serf().leave([&](const Result<>&) { has_left = true; });
  run_until([&] { return has_left && status(*a, "b") == MemberStatus::Left; });
}

TEST_F(ServiceTest, meets_over_ipv6) {
  const auto a = start("a", "::1");
  const auto b = start("b", "::1");
  ASSERT_TRUE(join(*b, *a));
  run_until([&] { return status(*a, "b") == MemberStatus::Alive; });
}

TEST_F(ServiceTest, answers_pings_so_that_nobody_is_suspected) {
  const auto a = start("a");
  const auto b = start("b");
  ASSERT_TRUE(join(*b, *a));
  run_until([&] { return a->serf().round_trip("a", "b").has_value(); });
  EXPECT_EQ(a->serf().memberlist().counters().suspicions, 0U);
}

TEST_F(ServiceTest, a_pause_of_the_process_makes_nobody_look_dead) {
  ManualClock clock(Instant{});
  int failed = 0;
  Serf::Handlers handlers;
  handlers.on_member_event = [&](const MemberEvent& event) {
    if (event.type == MemberEvent::Type::Failed) ++failed;
  };
  Service::Options options = options_for("a", "127.0.0.1");
  options.serf.coalesce_period = {};
  const auto a = Service::start(loop_, clock, std::move(options), handlers);
  ASSERT_TRUE(a);
  const auto b = start("b");
  ASSERT_TRUE(join(*b, **a));
  // Stopped for a minute; then everything that was due in it is overdue. `a` is not touched from
  // here on, as that would move its time.
  clock.advance(minutes(1));
  const std::uint64_t heard = b->serf().memberlist().counters().packets_in;
  run_until([&] { return b->serf().memberlist().counters().packets_in > heard; });
  EXPECT_EQ(failed, 0);
  EXPECT_EQ((*a)->serf().memberlist().counters().deaths, 0U);
}

TEST_F(ServiceTest, nodes_with_one_key_meet_and_with_different_keys_do_not) {
  const auto a = start("a", "127.0.0.1", {kKey});
  const auto b = start("b", "127.0.0.1", {kKey});
  const auto c = start("c", "127.0.0.1", {kOtherKey});
  const auto plain = start("plain");
  EXPECT_TRUE(join(*b, *a));
  EXPECT_FALSE(join(*c, *a));
  EXPECT_FALSE(join(*plain, *a));
  EXPECT_FALSE(join(*a, *plain));
  EXPECT_EQ(status(*a, "c"), MemberStatus::None);
  EXPECT_EQ(status(*a, "plain"), MemberStatus::None);
}

TEST_F(ServiceTest, a_rotated_key_survives_a_restart) {
  const Path file = directory_.path() / "keyring.json";
  auto a = start("a", "127.0.0.1", {kKey}, file);
  std::optional<KeyReport> report;
  for (const auto action : {KeyAction::Install, KeyAction::Use}) {
    report.reset();
    ASSERT_TRUE(a->serf().manage_keys(action, encode_base64(kOtherKey),
                                      [&](const KeyReport& r) { report = r; }));
    run_until([&] { return report.has_value(); });
    EXPECT_EQ(report->errors, 0U);
  }
  a.reset();
  a = start("a", "127.0.0.1", {kKey}, file);
  ASSERT_NE(a->keyring(), nullptr);
  EXPECT_EQ(a->keyring()->keys().front(), kOtherKey);
}

TEST_F(ServiceTest, a_keyring_file_that_is_none_is_an_error_that_names_it) {
  const Path file = directory_.path() / "keyring.json";
  ASSERT_TRUE(write_file_durably(file, "[\"not a key\"]"));
  Service::Options options;
  options.bind = {*Ip::parse("127.0.0.1"), 0};
  options.keys = {kKey};
  options.keyring_file = file;
  const auto service = Service::start(loop_, system_clock(), std::move(options), {});
  ASSERT_FALSE(service);
  EXPECT_NE(service.error().message.find("keyring.json"), std::string::npos);
}

TEST_F(ServiceTest, an_address_in_use_is_an_error_that_names_it) {
  const auto a = start("a");
  Service::Options options;
  options.bind = a->local();
  options.serf.name = "b";
  const auto service = Service::start(loop_, system_clock(), std::move(options), {});
  ASSERT_FALSE(service);
  EXPECT_NE(service.error().message.find(a->local().to_string()), std::string::npos);
}

// A client that sends `bytes` over TCP and reads to the end.
std::string talk(const Endpoint& to, const std::string& bytes) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(to.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 &&
      ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size())) {
    char buffer[4096];
    for (ssize_t got; (got = ::read(fd, buffer, sizeof(buffer))) > 0;) {
      answer.append(buffer, static_cast<std::size_t>(got));
    }
  }
  ::close(fd);
  return answer;
}

TEST_F(ServiceTest, garbage_on_a_connection_ends_only_that_connection) {
  const auto a = start("a");
  const Endpoint to = a->local();
  std::atomic<bool> is_done = false;
  std::string answer = "not yet";
  std::thread client([&] {
    answer = talk(to, "\x06 this is no state exchange at all");
    is_done = true;
  });
  run_until([&] { return is_done.load(); });
  client.join();
  const auto b = start("b");
  EXPECT_TRUE(join(*b, *a));
}

}  // namespace
}  // namespace dkron::gossip
