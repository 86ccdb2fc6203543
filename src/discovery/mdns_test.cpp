#include "discovery/mdns.h"

#include <algorithm>

#include "discovery/discovery.h"
#include "discovery/test_support.h"

namespace dkron::discovery {
namespace {

using test::Answer;
using test::make_query;
using test::show;
using test::UdpPeer;

constexpr const char* kService = "_dkron._tcp.local";

void hear(MdnsAnswers* answers, const Answer& answer) {
  const auto records = parse_dns_answer(answer.bytes());
  ASSERT_TRUE(records) << records.error().message;
  answers->add(*records);
}

Parameters service(const char* timeout) {
  return {{"service", "_dkron._tcp"}, {"timeout", timeout}};
}

TEST(MdnsAnswers, puts_an_instance_together_from_one_answer_in_any_order) {
  MdnsAnswers answers(kService);
  Answer answer;
  answer.ip("host1.local", "10.0.0.1").srv("n1._dkron._tcp.local", "host1.local", 8946);
  answer.ptr(kService, "n1._dkron._tcp.local").ip("host1.local", "fd00::1");
  hear(&answers, answer);
  EXPECT_EQ(show(answers.addresses(true, true)), "[fd00::1]:8946 10.0.0.1:8946");
  EXPECT_EQ(show(answers.addresses(true, false)), "10.0.0.1:8946");
  EXPECT_EQ(show(answers.addresses(false, true)), "[fd00::1]:8946");
  EXPECT_TRUE(answers.next_questions().empty());
}

TEST(MdnsAnswers, asks_once_for_each_thing_that_is_missing) {
  MdnsAnswers answers(kService);
  hear(&answers, Answer().ptr(kService, "n1._dkron._tcp.local"));
  using Questions = std::vector<DnsQuestion>;
  EXPECT_EQ(answers.next_questions(), (Questions{{"n1._dkron._tcp.local", RecordType::Srv}}));
  EXPECT_EQ(answers.next_questions(), Questions());
  hear(&answers, Answer().srv("n1._dkron._tcp.local", "host1.local", 1));
  EXPECT_EQ(answers.next_questions(),
            (Questions{{"host1.local", RecordType::A}, {"host1.local", RecordType::Aaaa}}));
  EXPECT_EQ(answers.next_questions(), Questions());
}

TEST(MdnsAnswers, keeps_nothing_of_other_services_and_strangers) {
  MdnsAnswers answers(kService);
  Answer answer;
  answer.ptr("_http._tcp.local", "n1._http._tcp.local").srv("n1._http._tcp.local", "h.local", 1);
  answer.ip("h.local", "10.0.0.1");
  hear(&answers, answer);
  EXPECT_TRUE(answers.addresses(true, true).empty());
  EXPECT_TRUE(answers.next_questions().empty());
}

TEST(MdnsAnswers, stays_within_bounds_whatever_is_shouted) {
  MdnsAnswers answers(kService);
  std::size_t questions = 0;
  for (int i = 0; i < 3000; ++i) {
    const std::string instance = "n" + std::to_string(i) + "._dkron._tcp.local";
    const std::string host = "h" + std::to_string(i) + ".local";
    Answer answer;
    answer.ptr(kService, instance).srv(instance, host, 1);
    for (int j = 0; j < 20; ++j) answer.ip(host, "10.0.0." + std::to_string(j));
    hear(&answers, answer);
    if (i % 100 == 0) questions += answers.next_questions().size();
  }
  EXPECT_LE(answers.addresses(true, true).size(), kMaxAddresses * 16);
  EXPECT_LE(questions, 2 * kMaxAddresses);
}

TEST(Mdns, finds_a_service_by_asking_step_by_step) {
  UdpPeer peer([](const std::string& question) -> std::vector<std::string> {
    Answer answer(question);
    switch (test::question_type(question)) {
      case RecordType::Ptr: answer.ptr(kService, "node one._dkron._tcp.local"); break;
      case RecordType::Srv: answer.srv("node one._dkron._tcp.local", "host1.local", 8946); break;
      case RecordType::A: answer.ip("host1.local", "10.0.0.1"); break;
      default: return {"no DNS at all", std::string(4000, '\xff')};
    }
    return {answer.bytes()};
  });
  EXPECT_EQ(show(ask_mdns(make_query(service("2s")), {peer.address()})), "10.0.0.1:8946");
}

TEST(Mdns, gives_nothing_when_nobody_answers) {
  UdpPeer peer([](const std::string&) { return std::vector<std::string>(); });
  EXPECT_EQ(show(ask_mdns(make_query(service("20ms")), {peer.address()})), "");
}

TEST(Mdns, does_not_outlast_the_deadline_of_the_call) {
  UdpPeer peer([](const std::string&) { return std::vector<std::string>(); });
  const Duration before = system_clock().steady();
  ask_mdns(make_query(service("1h"), milliseconds(20)), {peer.address()});
  EXPECT_LT(system_clock().steady() - before, seconds(20));
}

TEST(Mdns, tells_wrong_keys_in_the_words_of_the_original) {
  const auto error_of = [](Parameters parameters) {
    return show(mdns_provider(make_query(std::move(parameters))));
  };
  EXPECT_EQ(error_of({}),
            "error: discover-mdns: Service record not provided.  Please specify a service record "
            "for the mDNS lookup.");
  EXPECT_EQ(error_of(service("10")),
            "error: discover-mdns: Failed to parse timeout: time: missing unit in duration \"10\"");
  EXPECT_EQ(error_of({{"service", "x"}, {"v6", "maybe"}}),
            "error: discover-mdns: Failed to parse v6: strconv.ParseBool: parsing \"maybe\": "
            "invalid syntax");
}

TEST(Mdns, says_that_it_cannot_ask) {
  EXPECT_EQ(show(ask_mdns(make_query(service("1s")), {{"nowhere", 1}})),
            "error: discover-mdns: cannot ask: nowhere is no IP");
}

}  // namespace
}  // namespace dkron::discovery
