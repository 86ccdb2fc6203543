// Random expressions in zones with odd clocks, checked against a scan that only reads local times.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>

#include "base/random.h"
#include "cron/fields.h"
#include "cron/schedule.h"

namespace dkron::cron {
namespace {

std::uint64_t test_seed() {
  const char* given = std::getenv("SEED");
  const std::uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : system_random().next();
  std::printf("SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

struct ZoneCase {
  const char* name;
  // Clock changes to search around.
  std::vector<const char*> near;
};

const std::vector<ZoneCase>& zones() {
  static const std::vector<ZoneCase> kZones = {
      {"UTC", {"2026-02-27T00:00:00Z", "2027-12-30T00:00:00Z"}},
      {"Europe/Berlin", {"2026-03-28T20:00:00Z", "2026-10-24T20:00:00Z"}},
      {"Australia/Lord_Howe", {"2026-04-04T10:00:00Z", "2026-10-03T10:00:00Z"}},
      {"Pacific/Apia", {"2011-12-29T08:00:00Z", "2012-03-31T10:00:00Z"}},
      {"Africa/Cairo", {"2026-04-23T18:00:00Z", "2026-10-29T18:00:00Z"}},
      {"Antarctica/Troll", {"2026-03-28T22:00:00Z", "2026-10-24T22:00:00Z"}},
      {"Africa/Casablanca", {"2026-02-14T20:00:00Z", "2026-03-21T20:00:00Z"}},
      {"America/Sao_Paulo", {"2018-02-17T12:00:00Z", "2018-11-03T12:00:00Z"}},
      {"Asia/Kathmandu", {"1985-12-31T12:00:00Z"}},
      {"America/New_York", {"2700-03-10T00:00:00Z", "2026-10-31T20:00:00Z"}}};
  return kZones;
}

std::string random_field(Random& random, int min, int max) {
  const auto span = static_cast<std::uint64_t>(max - min + 1);
  const auto value = [&] { return min + static_cast<int>(random.below(span)); };
  switch (random.below(8)) {
    case 0:
    case 1:
    case 2: return "*";
    case 3: return "*/" + std::to_string(1 + random.below(span));
    case 4: return std::to_string(value()) + "/" + std::to_string(1 + random.below(span));
    case 5: {
      const int a = value(), b = value();
      return std::to_string(std::min(a, b)) + "-" + std::to_string(std::max(a, b));
    }
    case 6: return std::to_string(value()) + "," + std::to_string(value());
    default: return std::to_string(value());
  }
}

std::string random_expression(Random& random) {
  // Mostly times near midnight and 2 o'clock, where clocks change.
  std::string hour = random_field(random, 0, 23);
  if (random.below(2) == 0) hour = std::to_string(random.below(4));
  std::string second = random.below(2) == 0 ? "0" : random_field(random, 0, 59);
  return second + " " + random_field(random, 0, 59) + " " + hour + " " +
         random_field(random, 1, 31) + " " + random_field(random, 1, 12) + " " +
         random_field(random, 0, 6);
}

bool matches(const FieldSet& f, const Civil& c) {
  const auto has = [](std::uint64_t bits, int n) { return (bits >> n & 1U) != 0; };
  const bool day = has(f.days, c.day), week = has(f.weekdays, weekday(c));
  const bool either = !f.is_star_day && !f.is_star_weekday;
  return has(f.seconds, c.second) && has(f.minutes, c.minute) && has(f.hours, c.hour) &&
         has(f.months, c.month) && (either ? day || week : day && week);
}

FieldSet fields_of(const std::string& expression) {
  std::vector<std::string_view> texts;
  std::string_view rest = expression;
  for (int i = 0; i < 6; ++i) {
    texts.push_back(rest.substr(0, rest.find(' ')));
    rest.remove_prefix(std::min(rest.size(), texts.back().size() + 1));
  }
  return *parse_fields(texts);
}

TEST(ScheduleProperty, agrees_with_a_scan_of_all_local_times) {
  SeededRandom random(test_seed());
  constexpr int kWindowSeconds = 40 * 3600;
  constexpr int kExpressionsPerPlace = 40;
  int activations = 0;
  for (const auto& zone_case : zones()) {
    const TimeZone zone = *TimeZone::load(zone_case.name);
    for (const char* near : zone_case.near) {
      const std::int64_t start =
          parse_rfc3339(near)->unix_seconds() + static_cast<std::int64_t>(random.below(7200));
      std::vector<Civil> shown;
      for (int i = 1; i <= kWindowSeconds; ++i) {
        shown.push_back(zone.to_civil(Instant::from_unix(start + i)).civil);
      }
      for (int n = 0; n < kExpressionsPerPlace; ++n) {
        const std::string expression = random_expression(random);
        const FieldSet fields = fields_of(expression);
        const Schedule schedule = *Schedule::parse(expression, "", Options{zone, {}});
        Instant at = Instant::from_unix(start);
        int found = 0;
        for (int i = 1; i <= kWindowSeconds && found < 50; ++i) {
          if (!matches(fields, shown[static_cast<std::size_t>(i - 1)])) continue;
          at = schedule.next_after(at);
          ASSERT_EQ(format_rfc3339(at), format_rfc3339(Instant::from_unix(start + i)))
              << expression << " in " << zone_case.name;
          ++found;
        }
        activations += found;
        if (found == 50) continue;
        at = schedule.next_after(at);
        ASSERT_TRUE(at.is_zero() || at.unix_seconds() > start + kWindowSeconds)
            << expression << " in " << zone_case.name << " gives " << format_rfc3339(at);
      }
    }
  }
  EXPECT_GT(activations, 100);
}

TEST(ScheduleProperty, activations_grow_and_policies_only_move_or_drop_them) {
  SeededRandom random(test_seed());
  for (int n = 0; n < 3000; ++n) {
    const auto& zone_case = zones()[random.below(zones().size())];
    const TimeZone zone = *TimeZone::load(zone_case.name);
    const std::string expression = random_expression(random);
    const FieldSet fields = fields_of(expression);
    const Instant start = Instant::from_unix(static_cast<std::int64_t>(random.below(4102444800)));
    for (const auto policy : {DstPolicy::Reference, DstPolicy::RunOnceAfterGap, DstPolicy::Skip}) {
      const Schedule schedule = *Schedule::parse(expression, "", Options{zone, policy});
      Instant at = start;
      for (int i = 0; i < 20; ++i) {
        const Instant next = schedule.next_after(at);
        if (next.is_zero()) break;
        ASSERT_GT(next, at) << expression << " in " << zone_case.name;
        const auto local = zone.to_civil(next);
        const auto before = zone.to_civil(next - seconds(1));
        const bool after_gap = local.utc_offset_seconds > before.utc_offset_seconds;
        ASSERT_TRUE(matches(fields, local.civil) ||
                    (policy == DstPolicy::RunOnceAfterGap && after_gap))
            << expression << " in " << zone_case.name << " gives " << format_rfc3339(next);
        // Whatever the start, the same activation comes next.
        ASSERT_EQ(schedule.next_after(next - nanoseconds(1)), next);
        at = next;
      }
    }
  }
}

// Sanitizers change the speed.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(ScheduleProperty, no_search_takes_longer_than_a_millisecond) {
  SeededRandom random(test_seed());
  std::vector<std::string> expressions = {"0 0 0 29 2 *", "0 0 0 30 2 *", "59 59 23 31 12 *",
                                          "0 30 2 29 2 *", "0 0 0 31 2,4 ?"};
  for (int i = 0; i < 3000; ++i) expressions.push_back(random_expression(random));
  std::chrono::nanoseconds worst{0};
  std::string worst_text;
  for (const auto& expression : expressions) {
    const auto& zone_case = zones()[random.below(zones().size())];
    const Options options{*TimeZone::load(zone_case.name), DstPolicy::RunOnceAfterGap};
    const Schedule schedule = *Schedule::parse(expression, "", options);
    const Instant at = Instant::from_unix(static_cast<std::int64_t>(random.below(9000000000)));
    auto best = std::chrono::nanoseconds::max();
    for (int attempt = 0; attempt < 3; ++attempt) {
      const auto start = std::chrono::steady_clock::now();
      const Instant next = schedule.next_after(at);
      const auto taken = std::chrono::steady_clock::now() - start;
      best = std::min(best, std::chrono::duration_cast<std::chrono::nanoseconds>(taken));
      EXPECT_EQ(next.is_zero(), schedule.never_fires()) << expression;
    }
    if (best > worst) {
      worst = best;
      worst_text = expression + " in " + zone_case.name;
    }
  }
  std::printf("slowest search: %lld ns, %s\n", static_cast<long long>(worst.count()),
              worst_text.c_str());
  EXPECT_LT(worst, std::chrono::milliseconds(1));
}
#endif

}  // namespace
}  // namespace dkron::cron
