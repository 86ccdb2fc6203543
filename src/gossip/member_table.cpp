#include "gossip/member_table.h"

#include <utility>

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

KnownMember* MemberTable::find(const std::string& name) {
  const auto found = members_.find(name);
  return found == members_.end() ? nullptr : &found->second;
}

const KnownMember* MemberTable::find(const std::string& name) const {
  const auto found = members_.find(name);
  return found == members_.end() ? nullptr : &found->second;
}

KnownMember& MemberTable::add(Member member) {
  ++counts_[index_of(member.status)];
  std::string name = member.name;
  return members_.emplace(std::move(name), KnownMember{.member = std::move(member)}).first->second;
}

void MemberTable::erase(const std::string& name) {
  const auto erased = members_.extract(name);
  if (!erased.empty()) --counts_[index_of(erased.mapped().member.status)];
}

void MemberTable::set_status(KnownMember& known, MemberStatus status) {
  --counts_[index_of(known.member.status)];
  ++counts_[index_of(status)];
  known.member.status = status;
}

const KnownMember* MemberTable::gone_longest() const {
  const KnownMember* longest = nullptr;
  for (const auto& [name, known] : members_) {
    if (!known.is_gone()) continue;
    if (longest == nullptr || known.gone_since < longest->gone_since) longest = &known;
  }
  return longest;
}

std::vector<const Member*> MemberTable::pick(
    std::size_t count, Random& random, const std::function<bool(const Member&)>& wanted) const {
  std::vector<const Member*> picked;
  std::size_t seen = 0;
  for (const auto& [name, known] : members_) {
    if (!wanted(known.member)) continue;
    ++seen;
    if (picked.size() < count) {
      picked.push_back(&known.member);
    } else if (const std::uint64_t place = random.below(seen); place < count) {
      picked[place] = &known.member;
    }
  }
  return picked;
}

}  // namespace dkron::gossip
