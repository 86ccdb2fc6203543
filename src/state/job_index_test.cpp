// The index against a naive list of summaries.
#include "state/job_index.h"

#include <algorithm>
#include <map>

#include "state/test_support.h"

namespace dkron::state {
namespace {

using testing_support::at;
using testing_support::Bench;
using testing_support::job_named;

JobSummary summary(std::uint64_t uid, const std::string& name) {
  JobSummary job;
  job.uid = uid;
  job.version = uid;
  job.name = name;
  return job;
}

std::vector<std::string> names_of(const IndexPage& page) {
  std::vector<std::string> names;
  for (const JobRef& ref : page.jobs) names.push_back(ref.name);
  return names;
}

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return text;
}

bool naive_less(SortField field, const JobSummary& a, const JobSummary& b) {
  const auto missing_last = [](Instant t) { return std::pair(t.is_zero(), t); };
  const auto decide = [&](auto x, auto y) { return x == y ? a.name < b.name : x < y; };
  switch (field) {
    case SortField::Name: return a.name < b.name;
    case SortField::Displayname: return decide(lower(a.displayname), lower(b.displayname));
    case SortField::SuccessCount: return decide(a.success_count, b.success_count);
    case SortField::ErrorCount: return decide(a.error_count, b.error_count);
    case SortField::LastSuccess:
      return decide(missing_last(a.last_success), missing_last(b.last_success));
    case SortField::LastError:
      return decide(missing_last(a.last_error), missing_last(b.last_error));
    case SortField::Next: return decide(a.next, b.next);
    case SortField::Status: return decide(to_string(a.status), to_string(b.status));
    case SortField::Disabled: return decide(a.disabled, b.disabled);
  }
  return false;
}

IndexPage naive_list(const std::map<std::uint64_t, JobSummary>& jobs, const IndexQuery& query) {
  std::vector<JobSummary> matches;
  for (const auto& [uid, job] : jobs) {
    const std::string text = lower(query.text);
    const bool has_text = lower(job.name).find(text) != std::string::npos ||
                          lower(job.displayname).find(text) != std::string::npos;
    if (has_text && (!query.filter || query.filter(job))) matches.push_back(job);
  }
  std::sort(matches.begin(), matches.end(), [&](const auto& a, const auto& b) {
    return query.descending ? naive_less(query.sort, b, a) : naive_less(query.sort, a, b);
  });
  IndexPage page;
  page.total = matches.size();
  for (std::uint64_t i = query.start; i < query.end && i < matches.size(); ++i) {
    page.jobs.push_back({matches[i].uid, matches[i].version, matches[i].name});
  }
  return page;
}

JobSummary random_summary(Random& random, std::uint64_t uid, const std::string& name) {
  const auto maybe_time = [&] {
    return random.below(3) == 0 ? Instant() : at(static_cast<std::int64_t>(random.below(20)));
  };
  JobSummary job = summary(uid, name);
  // Also long ones that differ late only.
  job.displayname = std::string(random.below(4) == 0 ? random.below(16) : 0, 'X');
  job.displayname += std::string(
      random.below(3), static_cast<char>((random.below(2) == 0 ? 'a' : 'A') + random.below(3)));
  if (random.below(8) == 0) job.displayname += "\xC3\xA9";
  job.next = maybe_time();
  job.last_success = maybe_time();
  job.last_error = maybe_time();
  job.success_count = static_cast<std::int32_t>(random.below(4));
  job.error_count = static_cast<std::int32_t>(random.below(4));
  job.status = static_cast<Status>(random.below(4));
  job.disabled = random.below(2) == 0;
  return job;
}

TEST(JobIndex, lists_as_a_naive_reference_does) {
  SeededRandom random(testing_support::test_seed());
  for (int round = 0; round < 20; ++round) {
    JobIndex index;
    std::map<std::uint64_t, JobSummary> jobs;
    for (int step = 0; step < 120; ++step) {
      const std::uint64_t uid = 1 + random.below(60);
      if (random.below(4) == 0) {
        index.apply(JobDeleted{uid, ""});
        jobs.erase(uid);
      } else {
        jobs[uid] = random_summary(random, uid, "job" + std::to_string(uid * 7 % 61));
        index.apply(JobChanged{jobs[uid], true});
      }
    }
    ASSERT_EQ(index.size(), jobs.size());
    for (int asked = 0; asked < 60; ++asked) {
      IndexQuery query;
      query.sort = static_cast<SortField>(random.below(9));
      query.descending = random.below(2) == 0;
      if (random.below(2) == 0) query.start = random.below(70);
      if (random.below(2) == 0) query.end = random.below(70);
      if (random.below(3) == 0) query.text = std::string(1, "aB15"[random.below(4)]);
      if (random.below(3) == 0) query.filter = [](const JobSummary& job) { return job.disabled; };
      const IndexPage page = index.list(query);
      const IndexPage wanted = naive_list(jobs, query);
      ASSERT_EQ(names_of(page), names_of(wanted)) << "sort " << static_cast<int>(query.sort);
      ASSERT_EQ(page.total, wanted.total);
    }
  }
}

TEST(JobIndex, the_total_does_not_depend_on_the_page) {
  JobIndex index;
  for (std::uint64_t i = 1; i <= 5; ++i)
    index.apply(JobChanged{summary(i, std::string(i, 'a')), true});
  for (const auto& [start, end] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {0, 2}, {3, 3}, {4, 1}, {9, 20}, {UINT64_MAX, UINT64_MAX}, {UINT64_MAX, 3}, {0, 0}}) {
    for (const bool descending : {false, true}) {
      IndexQuery query;
      query.start = start;
      query.end = end;
      query.descending = descending;
      EXPECT_EQ(index.list(query).total, 5U) << start << ".." << end;
    }
  }
}

TEST(JobIndex, pages_reach_over_slices) {
  JobIndex index;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    index.apply(
        JobChanged{summary(i + 1, "job" + std::to_string(100'000 + i * 7'919 % 10'000)), true});
  }
  IndexQuery query;
  query.start = 4'000;
  query.end = 9'000;
  const auto page = index.list(query);
  EXPECT_EQ(page.total, 10'000U);
  ASSERT_EQ(page.jobs.size(), 5'000U);
  EXPECT_EQ(page.jobs.front().name, "job104000");
  EXPECT_EQ(page.jobs.back().name, "job108999");
  std::size_t visited = 0;
  index.visit([&](const JobSummary&) { ++visited; });
  EXPECT_EQ(visited, 10'000U);
}

TEST(JobIndex, finds_by_name_and_by_uid_and_forgets_the_deleted) {
  JobIndex index;
  index.apply(JobChanged{summary(7, "a"), true});
  JobRef ref;
  ASSERT_TRUE(index.find("a", &ref));
  EXPECT_EQ(ref.uid, 7U);
  EXPECT_FALSE(index.find("b", &ref));
  JobSummary found;
  ASSERT_TRUE(index.find(7, &found));
  EXPECT_EQ(found.name, "a");
  index.apply(JobDeleted{7, "a"});
  index.apply(JobDeleted{7, "a"});
  EXPECT_FALSE(index.find("a", &ref));
  EXPECT_FALSE(index.find(7, &found));
}

TEST(NameOrder, keeps_ranks_over_many_inserts_and_erasures) {
  SeededRandom random(testing_support::test_seed());
  std::map<std::string, std::unique_ptr<JobSummary>> reference;
  NameOrder order;
  for (int step = 0; step < 12'000; ++step) {
    const std::string name = std::to_string(random.below(6'000));
    if (const auto found = reference.find(name); found != reference.end()) {
      order.erase(name);
      reference.erase(found);
    } else {
      auto& job = reference[name] = std::make_unique<JobSummary>(summary(1, name));
      order.insert(job.get());
    }
  }
  ASSERT_EQ(order.size(), reference.size());
  std::vector<std::string> names, wanted;
  order.visit(0, SIZE_MAX, [&](const JobSummary& job) { names.push_back(job.name); });
  for (const auto& [name, job] : reference) wanted.push_back(name);
  EXPECT_EQ(names, wanted);
  const std::size_t from = wanted.size() / 3;
  names.clear();
  order.visit(from, from + 1'500, [&](const JobSummary& job) { names.push_back(job.name); });
  const std::size_t to = std::min(wanted.size(), from + 1'500);
  EXPECT_EQ(names, std::vector<std::string>(wanted.begin() + static_cast<std::ptrdiff_t>(from),
                                            wanted.begin() + static_cast<std::ptrdiff_t>(to)));
  EXPECT_EQ(order.find(wanted.front())->name, wanted.front());
  EXPECT_EQ(order.find("nobody"), nullptr);
}

TEST(LoadIndex, gives_what_the_changes_would_have_given) {
  Bench bench;
  JobIndex told;
  const auto follow = [&] {
    for (const Change& change : bench.changes) {
      if (const auto* changed = std::get_if<JobChanged>(&change)) told.apply(*changed);
      if (const auto* deleted = std::get_if<JobDeleted>(&change)) told.apply(*deleted);
    }
  };
  for (const char* name : {"c", "a", "b"}) {
    auto job = job_named(name);
    job.set_displayname(std::string("the ") + name);
    job.set_disabled(name[0] == 'b');
    bench.set_job(job);
    follow();
  }
  bench.set_job(job_named("d", "a"));
  follow();
  bench.launch("a", 10);
  bench.finish("a", 10, true);
  follow();
  JobIndex loaded;
  loaded.apply(JobChanged{summary(77, "stale"), true});
  ASSERT_TRUE(load_index(bench.store.reader(), &loaded));
  EXPECT_EQ(loaded.size(), 4U);
  for (std::uint64_t uid = 1; uid <= 4; ++uid) {
    JobSummary x, y;
    ASSERT_TRUE(told.find(uid, &x));
    ASSERT_TRUE(loaded.find(uid, &y));
    EXPECT_EQ(x.name, y.name);
    EXPECT_EQ(x.version, y.version);
    EXPECT_EQ(x.schedule_revision, y.schedule_revision);
    EXPECT_EQ(x.displayname, y.displayname);
    EXPECT_EQ(x.next, y.next);
    EXPECT_EQ(x.last_success, y.last_success);
    EXPECT_EQ(x.success_count, y.success_count);
    EXPECT_EQ(x.status, y.status);
    EXPECT_EQ(x.disabled, y.disabled);
    EXPECT_EQ(x.has_parent, y.has_parent);
  }
}

TEST(LoadIndex, a_damaged_row_is_an_error) {
  Bench bench;
  bench.set_job(job_named("a"));
  bench.store.batch().put("s/12345678", "\xff\xff");
  ASSERT_TRUE(bench.store.commit());
  JobIndex index;
  const auto loaded = load_index(bench.store.reader(), &index);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::Corrupt);
}

}  // namespace
}  // namespace dkron::state
