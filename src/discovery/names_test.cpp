#include "discovery/names.h"

#include <future>

#include "discovery/lookup_thread.h"
#include "discovery/test_support.h"

namespace dkron::discovery {
namespace {

using test::show;

std::string parsed(std::string_view text) {
  const auto host = parse_plain(text, 8946);
  if (!host) return "error: " + host.error().message;
  return host->host + " " + std::to_string(host->port);
}

TEST(Names, reads_every_plain_form) {
  EXPECT_EQ(parsed("10.0.0.5"), "10.0.0.5 8946");
  EXPECT_EQ(parsed("10.0.0.5:1"), "10.0.0.5 1");
  EXPECT_EQ(parsed("::1"), "::1 8946");
  EXPECT_EQ(parsed("[fd00::1]:1"), "fd00::1 1");
  EXPECT_EQ(parsed("node-1.example.com"), "node-1.example.com 8946");
  EXPECT_EQ(parsed("my_node:7"), "my_node 7");
}

TEST(Names, refuses_what_is_no_address) {
  EXPECT_EQ(parsed(""), "error: address \"\": not a host");
  EXPECT_EQ(parsed(":8946"), "error: address \":8946\": not a host");
  EXPECT_EQ(parsed("a b"), "error: address \"a b\": not a host");
  EXPECT_EQ(parsed("node:0"), "error: address \"node:0\": invalid port");
  EXPECT_EQ(parsed("node:70000"), "error: address node:70000: invalid port");
  EXPECT_EQ(parsed("1:2:3:x"), "error: address 1:2:3:x: too many colons in address");
  EXPECT_EQ(parsed(std::string("10.0.0.1\0", 9)), "error: address \"10.0.0.1\\x00\": not a host");
  EXPECT_FALSE(parse_plain(std::string(254, 'a'), 1));
}

TEST(Names, resolves_a_name_to_all_its_addresses_and_keeps_ips) {
  const Addresses hosts = {{"10.0.0.1", 1}, {"localhost", 2}};
  const auto found = resolve_all(hosts, system_clock().steady() + seconds(20));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(show(found).substr(0, 11), "10.0.0.1:1 ");
  ASSERT_GE(found->size(), 2U);
  for (std::size_t i = 1; i < found->size(); ++i) {
    EXPECT_TRUE((*found)[i].host == "127.0.0.1" || (*found)[i].host == "::1");
    EXPECT_EQ((*found)[i].port, 2);
  }
}

TEST(Names, keeps_the_ips_when_there_is_no_time_for_the_names) {
  const Addresses hosts = {{"10.0.0.1", 1}, {"localhost", 2}};
  const auto found = resolve_all(hosts, system_clock().steady() - seconds(1));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(show(found).substr(0, 10), "10.0.0.1:1");
  EXPECT_FALSE(resolve_all(std::span(hosts).subspan(1), system_clock().steady() - seconds(1)));
}

TEST(Names, leaves_out_addresses_that_nobody_can_be_joined_at) {
  const auto text = [](std::vector<unsigned char> bytes) { return to_ip_text(bytes).value_or(""); };
  EXPECT_EQ(text({10, 0, 0, 1}), "10.0.0.1");
  EXPECT_EQ(text({0, 0, 0, 0}), "");
  EXPECT_EQ(text({224, 0, 0, 1}), "");
  EXPECT_EQ(text({1, 2, 3}), "");
  EXPECT_EQ(text({0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), "fd00::1");
  EXPECT_EQ(text({0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), "");
  EXPECT_EQ(text({0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), "");
  EXPECT_EQ(text({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1}), "10.0.0.1");
}

// Lookups that hang until the test lets them go.
class HangingLookups {
 public:
  ~HangingLookups() { release(); }
  std::function<Result<Addresses>()> make() {
    return [gate = gate_] {
      gate.wait();
      return Result<Addresses>(Addresses{});
    };
  }
  void release() {
    if (!released_) promise_.set_value();
    released_ = true;
  }

 private:
  std::promise<void> promise_;
  std::shared_future<void> gate_ = promise_.get_future().share();
  bool released_ = false;
};

TEST(LookupThread, goes_away_from_a_lookup_that_hangs) {
  HangingLookups lookups;
  const auto result =
      run_until(system_clock().steady() + milliseconds(20), "lookup x", lookups.make());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::Timeout);
  EXPECT_EQ(result.error().message, "lookup x: i/o timeout");
}

TEST(LookupThread, refuses_new_lookups_while_too_many_hang_and_recovers) {
  HangingLookups lookups;
  const auto ask = [&] {
    const auto result = run_until(system_clock().steady(), "lookup x", lookups.make());
    return result ? ErrorCode::Ok : result.error().code;
  };
  ErrorCode last = ErrorCode::Timeout;
  for (int i = 0; i <= kLookupThreadLimit && last == ErrorCode::Timeout; ++i) last = ask();
  EXPECT_EQ(last, ErrorCode::Overloaded);
  lookups.release();
  const Duration patience = system_clock().steady() + seconds(20);
  while (last == ErrorCode::Overloaded && system_clock().steady() < patience) {
    const auto result =
        run_until(patience, "lookup x", [] { return Result<Addresses>(Addresses{}); });
    last = result ? ErrorCode::Ok : result.error().code;
  }
  EXPECT_EQ(last, ErrorCode::Ok);
}

}  // namespace
}  // namespace dkron::discovery
