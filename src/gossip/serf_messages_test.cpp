#include "gossip/serf_messages.h"

#include <gtest/gtest.h>

#include <limits>

#include "codec/test_golden.h"
#include "gossip/fields.h"

namespace dkron::gossip {
namespace {

using dkron::testing_support::from_hex;
using dkron::testing_support::to_hex;

template <class T>
std::string error_of(const Result<T>& result) {
  return result ? "" : result.error().message;
}

TEST(SerfMessages, have_the_bytes_of_the_specification) {
  EXPECT_EQ(to_hex(encode(LeaveIntent{4, "node-c", false})),
            "0083a54c54696d6504a44e6f6465a66e6f64652d63a55072756e65c2");
  EXPECT_EQ(to_hex(encode(JoinIntent{1, "node-b"})), "0182a54c54696d6501a44e6f6465a66e6f64652d62");
  EXPECT_EQ(to_hex(encode(Relay{{*Ip::parse("127.0.0.1"), 22301}, "", "node-a", "\x05\x80"})),
            "0982a8446573744164647283a24950a47f000001a4506f7274d1571da45a6f6e65a0a8446573744e616d65"
            "a66e6f64652d610580");
}

TEST(SerfMessages, say_why_they_are_refused) {
  EXPECT_EQ(error_of(decode_serf_message("")), "Serf message without a type");
  EXPECT_EQ(error_of(decode_serf_message("\x02\x80")), "Serf message type 2 is not gossiped");
  EXPECT_EQ(error_of(decode_serf_message("\x63\x80")), "Serf message type 99 is not gossiped");
  EXPECT_EQ(error_of(decode_serf_message("\x09\x80")), "relay: nothing to pass on");
  EXPECT_EQ(error_of(decode_serf_message("\x01\xa1x")),
            "join intent: wrong type of value at byte 0");
}

TEST(SerfMessages, take_filters_that_are_empty) {
  const auto message = decode_serf_message(from_hex("0481a746696c7465727392a0c0"));
  ASSERT_TRUE(message);
  EXPECT_EQ(std::get<Query>(*message).filters, (std::vector<std::string>{"", ""}));
}

TEST(QueryFilter, is_refused_when_empty_or_unknown) {
  EXPECT_EQ(error_of(decode_query_filter("")), "query filter: empty");
  EXPECT_EQ(error_of(decode_query_filter("\x02\x80")), "query filter: unknown kind");
  EXPECT_NE(error_of(decode_query_filter("\x01\x90")), "");
}

TEST(SerfState, keeps_the_order_of_its_members_and_the_last_time_of_each) {
  const auto state = decode_serf_state(
      "\x02\x81\xac"
      "StatusLTimes\x83\xa1z\x01\xa1"
      "a\x02\xa1z\x03");
  ASSERT_TRUE(state);
  using Times = std::vector<std::pair<std::string, LamportTime>>;
  EXPECT_EQ(state->status_times, (Times{{"z", 3}, {"a", 2}}));
}

TEST(SerfState, may_leave_out_the_ring) {
  SerfState state;
  state.time = 5;
  const auto back = decode_serf_state(encode(state));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->time, 5u);
  EXPECT_TRUE(back->events.empty());
}

std::string state_with_list(std::string_view key, std::size_t elements, char element) {
  std::string bytes = "\x02\x81";
  codec::MsgpackWriter out(bytes);
  out.raw(key);
  out.list(elements);
  return bytes + std::string(elements, element);
}

TEST(SerfState, is_bounded_in_every_list) {
  EXPECT_TRUE(decode_serf_state(state_with_list("Events", kMaxStateSlots, '\xc0')));
  EXPECT_EQ(decode_serf_state(state_with_list("Events", kMaxStateSlots + 1, '\xc0')).error().code,
            ErrorCode::TooLarge);
  EXPECT_EQ(
      decode_serf_state(state_with_list("LeftMembers", kMaxStateMembers + 1, '\xa0')).error().code,
      ErrorCode::TooLarge);
  std::string slots = from_hex("0281a64576656e747392");
  for (int slot = 0; slot < 2; ++slot) {
    slots += from_hex("81a64576656e7473dd00008001");
    slots += std::string(kMaxStateEvents / 2 + 1, '\x80');
  }
  EXPECT_EQ(decode_serf_state(slots).error().code, ErrorCode::TooLarge);
}

TEST(SerfState, is_refused_without_its_type) {
  EXPECT_EQ(error_of(decode_serf_state("")), "Serf state: empty");
  EXPECT_EQ(error_of(decode_serf_state("\x03\x80")), "Serf state: begins with type 3");
}

TEST(ConflictResponse, may_say_that_the_node_is_unknown) {
  EXPECT_EQ(to_hex(encode_conflict_response(std::nullopt)), "06c0");
  const auto unknown = decode_conflict_response(from_hex("06c0"));
  ASSERT_TRUE(unknown);
  EXPECT_FALSE(*unknown);
}

TEST(KeyMessages, come_back_as_they_were_written) {
  EXPECT_EQ(to_hex(encode(KeyRequest{})), "0781a34b6579a0");
  EXPECT_EQ(decode_key_request(from_hex("0781a34b6579c0"))->key, "");
  const KeyResponse response{true, "cut", {"a2V5", "a2V6"}, "a2V5"};
  const auto back = decode_key_response(encode(response));
  ASSERT_TRUE(back);
  EXPECT_TRUE(back->is_success);
  EXPECT_EQ(back->message, "cut");
  EXPECT_EQ(back->keys, response.keys);
  EXPECT_EQ(back->primary_key, "a2V5");
}

TEST(Tags, are_a_role_when_they_are_not_marked) {
  EXPECT_EQ(*decode_tags("web"), (Tags{{"role", "web"}}));
  EXPECT_EQ(*decode_tags(""), (Tags{{"role", ""}}));
  EXPECT_EQ(to_hex(encode_tags({})), "ff80");
  EXPECT_TRUE(decode_tags(from_hex("ff80"))->empty());
  EXPECT_EQ(*decode_tags(encode_tags({{"dc", "x"}, {"role", "y"}})),
            (Tags{{"dc", "x"}, {"role", "y"}}));
  EXPECT_EQ(decode_tags(std::string(kMaxMetaBytes + 1, 'x')).error().code, ErrorCode::TooLarge);
}

CoordinateRecord some_coordinate() {
  return {std::vector<double>(kCoordinateDimensions, 0.5), 1.5, 0.25, 1e-5};
}

TEST(Coordinate, has_130_bytes) {
  EXPECT_EQ(encode(some_coordinate()).size(), 130u);
  EXPECT_TRUE(decode_coordinate(encode(some_coordinate())));
}

TEST(Coordinate, is_refused_when_it_is_no_place) {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    CoordinateRecord coordinate = some_coordinate();
    coordinate.vector[3] = bad;
    EXPECT_FALSE(decode_coordinate(encode(coordinate)));
    coordinate = some_coordinate();
    coordinate.height = bad;
    EXPECT_FALSE(decode_coordinate(encode(coordinate)));
  }
  CoordinateRecord flat = some_coordinate();
  flat.vector.pop_back();
  EXPECT_FALSE(decode_coordinate(encode(flat)));
  EXPECT_FALSE(decode_coordinate(""));
  std::string other_version = encode(some_coordinate());
  other_version[0] = 2;
  EXPECT_FALSE(decode_coordinate(other_version));
}

}  // namespace
}  // namespace dkron::gossip
