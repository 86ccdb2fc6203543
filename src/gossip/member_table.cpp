#include "gossip/member_table.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace dkron::gossip {

std::string_view to_string(MemberStatus status) {
  switch (status) {
    case MemberStatus::None: return "none";
    case MemberStatus::Alive: return "alive";
    case MemberStatus::Leaving: return "leaving";
    case MemberStatus::Left: return "left";
    case MemberStatus::Failed: return "failed";
  }
  return "none";
}

std::string_view to_string(MemberEvent::Type type) {
  switch (type) {
    case MemberEvent::Type::Join: return "join";
    case MemberEvent::Type::Leave: return "leave";
    case MemberEvent::Type::Failed: return "failed";
    case MemberEvent::Type::Update: return "update";
    case MemberEvent::Type::Reap: return "reap";
  }
  return "join";
}

KnownMember* MemberTable::find(std::string_view name) {
  const auto found = members_.find(name);
  return found == members_.end() ? nullptr : found->second.get();
}

const KnownMember* MemberTable::find(std::string_view name) const {
  const auto found = members_.find(name);
  return found == members_.end() ? nullptr : found->second.get();
}

KnownMember& MemberTable::add(Member member) {
  auto known = std::make_unique<KnownMember>(KnownMember{.member = std::move(member)});
  KnownMember& added = *known;
  const bool is_new = members_.emplace(added.member.name, std::move(known)).second;
  DK_ASSERT(is_new);
  ++counts_[index_of(added.member.status)];
  return added;
}

void MemberTable::erase(std::string_view name) {
  const auto erased = members_.extract(name);
  if (!erased.empty()) --counts_[index_of(erased.mapped()->member.status)];
}

std::vector<const KnownMember*> MemberTable::by_name() const {
  std::vector<const KnownMember*> sorted;
  sorted.reserve(members_.size());
  for (const auto& [name, known] : members_) sorted.push_back(known.get());
  std::ranges::sort(sorted, {}, [](const KnownMember* known) -> const std::string& {
    return known->member.name;
  });
  return sorted;
}

void MemberTable::set_status(KnownMember& known, MemberStatus status) {
  --counts_[index_of(known.member.status)];
  ++counts_[index_of(status)];
  known.member.status = status;
}

const KnownMember* MemberTable::gone_longest() const {
  const KnownMember* longest = nullptr;
  for (const auto& [name, known] : members_) {
    if (!known->is_gone()) continue;
    if (longest == nullptr || known->gone_since < longest->gone_since) longest = known.get();
  }
  return longest;
}

std::vector<const Member*> MemberTable::pick(
    std::size_t count, Random& random, const std::function<bool(const Member&)>& wanted) const {
  std::vector<const Member*> picked;
  std::size_t seen = 0;
  for (const auto& [name, known] : members_) {
    if (!wanted(known->member)) continue;
    ++seen;
    if (picked.size() < count) {
      picked.push_back(&known->member);
    } else if (const std::uint64_t place = random.below(seen); place < count) {
      picked[place] = &known->member;
    }
  }
  return picked;
}

}  // namespace dkron::gossip
