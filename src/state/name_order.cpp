#include "state/name_order.h"

#include <algorithm>

#include "base/assert.h"

namespace dkron::state {
namespace {

bool before(const JobSummary* job, const std::string& name) {
  return job->name < name;
}

}  // namespace

// The last block whose first name is not greater, else the first one.
std::size_t NameOrder::block_of(const std::string& name) const {
  const auto behind = std::upper_bound(
      blocks_.begin(), blocks_.end(), name,
      [](const std::string& wanted, const Block& block) { return wanted < block.front()->name; });
  return behind == blocks_.begin() ? 0 : static_cast<std::size_t>(behind - blocks_.begin() - 1);
}

void NameOrder::insert(const JobSummary* job) {
  ++size_;
  if (blocks_.empty()) {
    blocks_.push_back({job});
    return;
  }
  const std::size_t i = block_of(job->name);
  Block& block = blocks_[i];
  block.insert(std::lower_bound(block.begin(), block.end(), job->name, before), job);
  if (block.size() <= kBlockLimit) return;
  const auto half = block.begin() + static_cast<std::ptrdiff_t>(block.size() / 2);
  Block upper(half, block.end());
  block.erase(half, block.end());
  blocks_.insert(blocks_.begin() + static_cast<std::ptrdiff_t>(i) + 1, std::move(upper));
}

void NameOrder::erase(const std::string& name) {
  DK_ASSERT(!blocks_.empty());
  const std::size_t i = block_of(name);
  Block& block = blocks_[i];
  const auto at = std::lower_bound(block.begin(), block.end(), name, before);
  DK_ASSERT(at != block.end() && (*at)->name == name);
  block.erase(at);
  --size_;
  if (block.empty()) blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(i));
}

const JobSummary* NameOrder::find(const std::string& name) const {
  if (blocks_.empty()) return nullptr;
  const Block& block = blocks_[block_of(name)];
  const auto at = std::lower_bound(block.begin(), block.end(), name, before);
  return at != block.end() && (*at)->name == name ? *at : nullptr;
}

}  // namespace dkron::state
