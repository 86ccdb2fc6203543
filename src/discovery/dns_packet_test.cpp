#include "discovery/dns_packet.h"

#include "discovery/test_support.h"

namespace dkron::discovery {
namespace {

using test::Answer;

constexpr const char* kName = "_dkron._tcp.example.com";

std::vector<DnsRecord> parse(const Answer& answer) {
  const auto records = parse_dns_answer(answer.bytes());
  EXPECT_TRUE(records) << records.error().message;
  return records ? *records : std::vector<DnsRecord>();
}

TEST(DnsPacket, reads_the_records_it_knows_and_passes_over_others) {
  Answer answer;
  answer.srv(kName, "Node1.Example.com", 8946, 3).add("x", RecordType(16), "\3abc");
  answer.ip("node1.example.com", "10.0.0.1").ip("node1.example.com", "fd00::1");
  const auto records = parse(answer);
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0].name, kName);
  EXPECT_EQ(records[0].target, "node1.example.com");
  EXPECT_EQ(records[0].port, 8946);
  EXPECT_EQ(records[0].priority, 3);
  EXPECT_EQ(records[1].address, "10.0.0.1");
  EXPECT_EQ(records[2].address, "fd00::1");
}

TEST(DnsPacket, refuses_every_cut_of_a_message) {
  const std::string whole = Answer().srv(kName, "node1", 1).ip("node1", "10.0.0.1").bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(parse_dns_answer(std::string_view(whole).substr(0, size))) << size;
  }
}

TEST(DnsPacket, refuses_a_question_and_leaves_out_records_of_wrong_length) {
  const auto question = make_dns_question("a.b", RecordType::Ptr, 7, true);
  ASSERT_TRUE(question);
  EXPECT_EQ(parse_dns_answer(*question).error().code, ErrorCode::Corrupt);
  EXPECT_TRUE(parse(Answer().add("a", RecordType::A, "abc")).empty());
  EXPECT_TRUE(parse(Answer().add("a", RecordType::Srv, "abcdef")).empty());
  EXPECT_TRUE(parse(Answer().add("a", RecordType::Ptr, "")).empty());
  EXPECT_TRUE(parse(Answer().add("a", RecordType::A, "abcd", 3)).empty());
}

TEST(DnsPacket, does_not_follow_a_name_that_points_at_itself) {
  // The data of the first record begins at 12 + 3 + 10: a pointer to that place.
  const auto records = parse(Answer().add("a", RecordType::Ptr, "\xc0\x19"));
  EXPECT_TRUE(records.empty());
}

TEST(DnsPacket, refuses_to_ask_for_what_is_no_name) {
  EXPECT_FALSE(make_dns_question(std::string(64, 'a') + ".b", RecordType::A, 1, false));
  EXPECT_FALSE(make_dns_question("a..b", RecordType::A, 1, false));
  EXPECT_FALSE(make_dns_question("", RecordType::A, 1, false));
}

}  // namespace
}  // namespace dkron::discovery
