#include "gossip/broadcast_queue.h"

#include <gtest/gtest.h>

namespace dkron::gossip {
namespace {

using Messages = std::vector<std::string>;

constexpr std::size_t kNodes = 3;  // With a multiplier of 4: each message goes out 4 times.

Messages take(BroadcastQueue& queue, std::size_t room_bytes, std::size_t nodes = kNodes) {
  Messages messages;
  queue.take(nodes, 2, "", room_bytes, messages);
  return messages;
}

TEST(BroadcastQueue, sends_each_message_as_often_as_the_cluster_is_large) {
  BroadcastQueue queue(4);
  queue.push("a");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(take(queue, 100), Messages{"a"});
  EXPECT_EQ(take(queue, 100), Messages{});
  queue.push("b");
  for (int i = 0; i < 12; ++i) EXPECT_EQ(take(queue, 100, 100), Messages{"b"});
  EXPECT_EQ(queue.size(), 0U);
}

TEST(BroadcastQueue, prefers_what_was_sent_least_then_the_longest_then_the_newest) {
  BroadcastQueue queue(4);
  queue.push("old");
  EXPECT_EQ(take(queue, 5), Messages{"old"});
  queue.push("xx");
  queue.push("yy");
  queue.push("longer");
  EXPECT_EQ(take(queue, 1000), (Messages{"longer", "yy", "xx", "old"}));
}

TEST(BroadcastQueue, fills_the_room_with_what_fits) {
  BroadcastQueue queue(4);
  queue.push(std::string(50, 'x'));
  queue.push("ab");
  queue.push("cde");
  // 2 bytes of overhead each: 5 + 4 of 10.
  EXPECT_EQ(take(queue, 10), (Messages{"cde", "ab"}));
  EXPECT_EQ(take(queue, 4), (Messages{"ab"}));
  EXPECT_EQ(take(queue, 2), Messages{});
}

TEST(BroadcastQueue, counts_the_prefix_and_says_what_room_is_left) {
  BroadcastQueue queue(4);
  queue.push("abc");
  Messages messages;
  std::size_t room = 10;
  queue.take(kNodes, 2, "P", room, messages);
  EXPECT_EQ(messages, Messages{"Pabc"});
  EXPECT_EQ(room, 4U);
}

TEST(BroadcastQueue, replaces_the_message_of_the_same_name_and_finishes_it) {
  BroadcastQueue queue(4);
  int finished = 0;
  queue.push("one", "node", [&] { ++finished; });
  queue.push("two", "node");
  EXPECT_EQ(finished, 1);
  EXPECT_EQ(take(queue, 100), Messages{"two"});
}

TEST(BroadcastQueue, finishes_a_message_after_its_last_sending) {
  BroadcastQueue queue(4);
  int finished = 0;
  queue.push("one", "", [&] { ++finished; });
  for (int i = 0; i < 3; ++i) take(queue, 100);
  EXPECT_EQ(finished, 0);
  take(queue, 100);
  EXPECT_EQ(finished, 1);
}

TEST(BroadcastQueue, drops_what_was_sent_most_when_it_is_full) {
  BroadcastQueue queue(4);
  int dropped = 0;
  queue.push("sent before", "", [&] { ++dropped; });
  take(queue, 100);
  for (std::size_t i = 0; i < BroadcastQueue::kMaxMessages; ++i) queue.push("m");
  EXPECT_EQ(queue.size(), BroadcastQueue::kMaxMessages);
  EXPECT_EQ(dropped, 1);
}

TEST(BroadcastQueue, a_finished_message_may_push_the_next) {
  BroadcastQueue queue(4);
  queue.push("one", "", [&] { queue.push("two"); });
  for (int i = 0; i < 4; ++i) take(queue, 100);
  EXPECT_EQ(take(queue, 100), Messages{"two"});
}

}  // namespace
}  // namespace dkron::gossip
