#include "state/job_index.h"

#include <algorithm>
#include <string_view>

namespace dkron::state {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = lower(c);
  return result;
}

bool contains(std::string_view text, std::string_view lower_part) {
  return std::search(text.begin(), text.end(), lower_part.begin(), lower_part.end(),
                     [](char a, char b) { return lower(a) == b; }) != text.end();
}

// One job as a sort sees it, 24 bytes: its key, and its place in the order of names for equal ones.
struct Row {
  std::int64_t major = 0;
  std::int32_t minor = 0;
  std::uint32_t place = 0;
  std::uint64_t uid = 0;
};

// Words that sort by the alphabet.
std::int64_t status_rank(Status status) {
  switch (status) {
    case Status::None: return 0;
    case Status::Failed: return 1;
    case Status::PartiallyFailed: return 2;
    case Status::Success: return 3;
  }
  return 0;
}

void set_time_key(Instant time, Row* row) {
  row->major = time.unix_seconds();
  row->minor = time.nanos();
}

// The first characters of a lower-case text, so that most comparisons need no other ones.
constexpr std::size_t kPrefixSize = 12;
void set_text_key(const std::string& text, Row* row) {
  const auto bytes = [&text](std::size_t from, std::size_t to) {
    std::uint64_t value = 0;
    for (std::size_t i = from; i < to; ++i)
      value = value << 8 | (i < text.size() ? static_cast<unsigned char>(text[i]) : 0);
    return value;
  };
  // Signed numbers in the order of unsigned ones.
  row->major = static_cast<std::int64_t>(bytes(0, 8) ^ 1ULL << 63);
  row->minor =
      static_cast<std::int32_t>(static_cast<std::uint32_t>(bytes(8, kPrefixSize)) ^ 1U << 31);
}

// Times that are missing come last upwards, except `next`, whose zero comes first (spec
// rest-api 4.1). Texts have keys of their own.
void set_key(SortField field, const JobSummary& job, Row* row) {
  const auto missing_last = [row](Instant time) {
    set_time_key(time, row);
    if (time.is_zero()) row->major = INT64_MAX;
  };
  switch (field) {
    case SortField::Name:
    case SortField::Displayname: break;
    case SortField::SuccessCount: row->major = job.success_count; break;
    case SortField::ErrorCount: row->major = job.error_count; break;
    case SortField::LastSuccess: missing_last(job.last_success); break;
    case SortField::LastError: missing_last(job.last_error); break;
    case SortField::Next: set_time_key(job.next, row); break;
    case SortField::Status: row->major = status_rank(job.status); break;
    case SortField::Disabled: row->major = job.disabled ? 1 : 0; break;
  }
}

bool less(const Row& a, const Row& b) {
  if (a.major != b.major) return a.major < b.major;
  if (a.minor != b.minor) return a.minor < b.minor;
  return a.place < b.place;
}

// Brings the rows [start, end) of the whole order to their places; the rest stays in any order.
template <class Less>
void sort_page(std::vector<Row>* rows, std::size_t start, std::size_t end, Less order) {
  const auto at = [rows](std::size_t i) { return rows->begin() + static_cast<std::ptrdiff_t>(i); };
  if (end < rows->size()) std::nth_element(rows->begin(), at(end), rows->end(), order);
  if (start > 0) std::nth_element(rows->begin(), at(start), at(end), order);
  std::sort(at(start), at(end), order);
}

JobRef make_ref(const JobSummary& job) {
  return JobRef{job.uid, job.version, job.name};
}

}  // namespace

void JobIndex::apply(const JobChanged& change) {
  std::lock_guard lock(mutex_);
  const JobSummary& summary = change.summary;
  if (const auto known = jobs_.find(summary.uid); known != jobs_.end()) {
    // The name of a uid never changes, so the order stays right.
    if (known->second->version <= summary.version) *known->second = summary;
    return;
  }
  // Uids grow: of two jobs with one name the smaller is the one that was deleted.
  if (const JobSummary* namesake = names_.find(summary.name)) {
    if (namesake->uid > summary.uid) return;
    const std::uint64_t deleted = namesake->uid;
    names_.erase(summary.name);
    jobs_.erase(deleted);
  }
  const auto added = jobs_.emplace(summary.uid, std::make_unique<JobSummary>(summary)).first;
  names_.insert(added->second.get());
}

void JobIndex::apply(const JobDeleted& change) {
  std::lock_guard lock(mutex_);
  const auto found = jobs_.find(change.uid);
  if (found == jobs_.end()) return;
  names_.erase(found->second->name);
  jobs_.erase(found);
}

void JobIndex::clear() {
  std::lock_guard lock(mutex_);
  names_ = NameOrder();
  jobs_.clear();
}

std::size_t JobIndex::size() const {
  std::lock_guard lock(mutex_);
  return jobs_.size();
}

bool JobIndex::find(const std::string& name, JobRef* ref) const {
  std::lock_guard lock(mutex_);
  const JobSummary* job = names_.find(name);
  if (job == nullptr) return false;
  *ref = make_ref(*job);
  return true;
}

bool JobIndex::find(std::uint64_t uid, JobSummary* summary) const {
  std::lock_guard lock(mutex_);
  const auto found = jobs_.find(uid);
  if (found == jobs_.end()) return false;
  *summary = *found->second;
  return true;
}

void JobIndex::visit(const std::function<void(const JobSummary&)>& visit) const {
  for (std::size_t from = 0;; from += kSliceJobs) {
    std::lock_guard lock(mutex_);
    if (from >= names_.size()) return;
    names_.visit(from, from + kSliceJobs, visit);
  }
}

IndexPage JobIndex::list(const IndexQuery& query) const {
  IndexPage page;
  if (query.is_plain()) {
    page.total = size();  // Also when the page is empty.
    for (std::uint64_t from = query.start; from < query.end; from += kSliceJobs) {
      std::lock_guard lock(mutex_);
      page.total = names_.size();
      if (from >= names_.size()) break;
      const std::uint64_t to = std::min<std::uint64_t>(query.end, from + kSliceJobs);
      names_.visit(from, to, [&](const JobSummary& job) { page.jobs.push_back(make_ref(job)); });
    }
    return page;
  }
  std::vector<Row> rows;
  std::vector<std::string> texts;  // By place; for the one field that is a text, where it is long.
  const bool by_text = query.sort == SortField::Displayname;
  const std::string text = lower(query.text);
  rows.reserve(size());
  if (by_text) texts.reserve(size());
  visit([&](const JobSummary& job) {
    if (query.filter && !query.filter(job)) return;
    if (!text.empty() && !contains(job.name, text) && !contains(job.displayname, text)) return;
    const auto place = static_cast<std::uint32_t>(rows.size());
    Row& row = rows.emplace_back();
    row.place = place;
    row.uid = job.uid;
    set_key(query.sort, job, &row);
    if (!by_text) return;
    std::string name = lower(job.displayname);
    set_text_key(name, &row);
    texts.push_back(name.size() > kPrefixSize ? std::move(name) : std::string());
  });
  page.total = rows.size();
  if (query.start >= rows.size() || query.start >= query.end) return page;
  const std::size_t end = std::min<std::uint64_t>(query.end, rows.size());
  sort_page(&rows, query.start, end, [&](const Row& first, const Row& second) {
    const Row& a = query.descending ? second : first;
    const Row& b = query.descending ? first : second;
    const bool same_prefix = by_text && a.major == b.major && a.minor == b.minor;
    if (!same_prefix) return less(a, b);
    const int order = texts[a.place].compare(texts[b.place]);
    return order != 0 ? order < 0 : a.place < b.place;
  });
  for (std::size_t i = query.start; i < end;) {
    std::lock_guard lock(mutex_);
    for (const std::size_t stop = std::min(end, i + kSliceJobs); i < stop; ++i) {
      const auto job = jobs_.find(rows[i].uid);
      if (job != jobs_.end()) page.jobs.push_back(make_ref(*job->second));
    }
  }
  return page;
}

}  // namespace dkron::state
