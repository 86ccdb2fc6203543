#include "discovery/srv.h"

#include "discovery/test_support.h"

namespace dkron::discovery {
namespace {

using test::Answer;
using test::make_query;
using test::show;
using test::UdpPeer;

constexpr const char* kName = "_dkron._tcp.example.com";

std::vector<DnsRecord> parse(const Answer& answer) {
  const auto records = parse_dns_answer(answer.bytes());
  EXPECT_TRUE(records) << records.error().message;
  return records ? *records : std::vector<DnsRecord>();
}

TEST(Srv, knows_a_service_by_its_name) {
  EXPECT_TRUE(is_srv_name("_dkron._tcp.example.com"));
  EXPECT_TRUE(is_srv_name("_dkron._UDP.local"));
  EXPECT_FALSE(is_srv_name("_dkron._tcp."));
  EXPECT_FALSE(is_srv_name("_dkron._tcp"));
  EXPECT_FALSE(is_srv_name("_._tcp.x"));
  EXPECT_FALSE(is_srv_name("dkron._tcp.x"));
  EXPECT_FALSE(is_srv_name("_dkron._sctp.x"));
}

TEST(Srv, gives_targets_by_priority_with_the_addresses_of_the_answer) {
  Answer answer;
  answer.srv(kName, "b", 2, 20).srv(kName, "a", 1, 10).srv(kName, "c", 3, 30).srv(kName, "", 4);
  answer.ip("a", "10.0.0.1").ip("a", "10.0.0.2").ip("b", "10.0.0.3").srv(kName, "z", 0);
  EXPECT_EQ(show(srv_hosts(parse(answer))), "10.0.0.1:1 10.0.0.2:1 10.0.0.3:2 c:3");
}

TEST(Srv, asks_a_real_name_server_and_resolves_what_it_left_open) {
  UdpPeer server([](const std::string& question) {
    EXPECT_EQ(test::question_type(question), RecordType::Srv);
    Answer answer(question);
    answer.srv(kName, "node1.example.com", 8946).ip("node1.example.com", "10.0.0.1");
    answer.srv(kName, "localhost", 7, 9);
    return std::vector<std::string>{answer.bytes()};
  });
  const auto found = find_srv(kName, make_query({}), server.address());
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(show(found).substr(0, 14), "10.0.0.1:8946 ");
  EXPECT_EQ(found->back().port, 7);
}

TEST(Srv, tells_a_missing_name_from_a_server_that_fails) {
  for (const auto& [rcode, code, text] :
       {std::tuple(3, ErrorCode::NotFound, "lookup _dkron._tcp.example.com: no such host"),
        std::tuple(0, ErrorCode::NotFound, "lookup _dkron._tcp.example.com: no SRV record"),
        std::tuple(2, ErrorCode::Unavailable,
                   "lookup _dkron._tcp.example.com: no answer of a name server")}) {
    UdpPeer server([rcode = rcode](const std::string& question) {
      return std::vector<std::string>{Answer(question, rcode).bytes()};
    });
    const auto found = find_srv(kName, make_query({}), server.address());
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, code);
    EXPECT_EQ(found.error().message, text);
  }
}

TEST(Srv, ends_in_time_when_the_name_server_is_silent) {
  UdpPeer server([](const std::string&) { return std::vector<std::string>(); });
  const auto found = find_srv(kName, make_query({}, milliseconds(50)), server.address());
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::Timeout);
}

TEST(Srv, wants_service_and_domain) {
  EXPECT_EQ(show(srv_provider(make_query({{"domain", "x"}}))),
            "error: discover-srv: missing service");
  EXPECT_EQ(show(srv_provider(make_query({{"service", "x"}}))),
            "error: discover-srv: missing domain");
  EXPECT_EQ(show(srv_provider(make_query({{"service", "x"}, {"domain", "a..b"}}))),
            "error: discover-srv: dns: \"_x._tcp.a..b\" is no DNS name");
}

}  // namespace
}  // namespace dkron::discovery
