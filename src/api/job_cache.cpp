#include "api/job_cache.h"

#include "model/job_json.h"
#include "state/views.h"

namespace dkron::api {
namespace {

// What an entry costs besides its text: list node, map node, control block.
constexpr std::size_t kEntryOverheadBytes = 160;

}  // namespace

JobCache::Rendered JobCache::find_locked(const state::JobRef& job) {
  const auto found = by_uid_.find(job.uid);
  if (found == by_uid_.end() || found->second->version < job.version) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->json;
}

void JobCache::put_locked(std::uint64_t uid, std::uint64_t version, Rendered json) {
  const std::size_t cost = json->size() + kEntryOverheadBytes;
  if (const auto found = by_uid_.find(uid); found != by_uid_.end()) {
    if (found->second->version > version) return;
    size_bytes_ -= found->second->json->size() + kEntryOverheadBytes;
    entries_.erase(found->second);
    by_uid_.erase(found);
  }
  entries_.push_front(Entry{uid, version, std::move(json)});
  by_uid_[uid] = entries_.begin();
  size_bytes_ += cost;
  while (size_bytes_ > kLimitBytes && entries_.size() > 1) {
    size_bytes_ -= entries_.back().json->size() + kEntryOverheadBytes;
    by_uid_.erase(entries_.back().uid);
    entries_.pop_back();
  }
}

Result<std::vector<JobCache::Rendered>> JobCache::get(const store::Reader& reader,
                                                      const std::vector<state::JobRef>& jobs) {
  std::vector<Rendered> rendered(jobs.size());
  std::vector<std::size_t> missing;
  {
    std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      rendered[i] = find_locked(jobs[i]);
      if (!rendered[i]) missing.push_back(i);
    }
  }
  for (const std::size_t i : missing) {
    auto job = state::find_job(reader, jobs[i].name);
    if (!job) return fail(job.error());
    if (!*job) continue;
    auto json = std::make_shared<std::string>();
    json->reserve(1024);
    model::append_job(json.get(), **job);
    json->shrink_to_fit();
    rendered[i] = std::move(json);
    std::lock_guard lock(mutex_);
    put_locked((*job)->uid, (*job)->version, rendered[i]);
  }
  std::erase(rendered, nullptr);
  return rendered;
}

}  // namespace dkron::api
