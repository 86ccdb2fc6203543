#include "store/keys.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace dkron::store::keys {
namespace {

void expect_ascending(const std::vector<std::string>& keys) {
  for (std::size_t i = 1; i < keys.size(); ++i) EXPECT_LT(keys[i - 1], keys[i]) << i;
}

TEST(Keys, numbers_are_big_endian_and_sort_as_numbers) {
  std::string key;
  append_u64(&key, 0x0102030405060708);
  EXPECT_EQ(key, "\x01\x02\x03\x04\x05\x06\x07\x08");
  EXPECT_EQ(read_u64(key), 0x0102030405060708U);
  EXPECT_EQ(read_u64("short"), 0U);
  expect_ascending(
      {state(0), state(1), state(255), state(256), state(UINT64_MAX - 1), state(UINT64_MAX)});
  expect_ascending({group(1, INT64_MIN), group(1, -1), group(1, 0), group(1, 1),
                    group(1, INT64_MAX), group(2, INT64_MIN)});
  expect_ascending({execution(1, 5, "n", 1), execution(1, 5, "n", 2), execution(1, 5, "n", 300),
                    execution(1, 5, "na", 1), execution(1, 6, "a", 1)});
}

TEST(Keys, ledger_keys_run_from_new_to_old_and_tell_their_instant) {
  const std::vector<Instant> ascending = {Instant(),
                                          Instant::from_unix(-1, 999'999'999),
                                          Instant::from_unix(0),
                                          Instant::from_unix(0, 1),
                                          Instant::from_unix(1'780'000'000, 5),
                                          Instant::from_unix(1'780'000'000, 256),
                                          Instant::from_unix(253'402'300'799, 999'999'999)};
  std::vector<std::string> made;
  for (const Instant t : ascending) {
    made.push_back(ledger(3, t));
    EXPECT_EQ(ledger_instant(made.back()), t);
    EXPECT_TRUE(made.back().starts_with(ledger_of(3)));
  }
  std::reverse(made.begin(), made.end());
  expect_ascending(made);
  EXPECT_TRUE(ledger_instant("l/short").is_zero());
}

TEST(Keys, the_end_of_a_prefix_lies_behind_all_its_keys_and_before_the_next) {
  for (const std::uint64_t uid :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{255}, UINT64_MAX}) {
    const std::string prefix = executions_of(uid);
    const std::string end = end_of(prefix);
    EXPECT_GT(end, prefix + std::string(64, '\xff'));
    if (uid != UINT64_MAX) {
      EXPECT_LE(end, executions_of(uid + 1));
    }
    EXPECT_LT(end, "y");
  }
  EXPECT_EQ(end_of("j/"), "j0");
  EXPECT_EQ(end_of("a\xff"), "b");
  EXPECT_EQ(end_of("\xff\xff"), "");
}

TEST(Keys, an_output_lies_under_the_key_of_its_execution) {
  std::string key = execution(7, 9, "n1", 2);
  key[0] = 'o';
  EXPECT_EQ(key, output(7, 9, "n1", 2));
}

TEST(Keys, statistics_are_by_utc_day) {
  EXPECT_EQ(statistics(Instant::from_unix(1'780'000'000)), "d/2026-05-28");
  EXPECT_EQ(statistics("2026-01-02"), "d/2026-01-02");
}

}  // namespace
}  // namespace dkron::store::keys
