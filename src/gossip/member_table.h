// MemberTable: Serf's members by name, those that are gone among them.
//
// Larger than the memberlist's table, which forgets the dead after seconds. At most kMaxMembers:
// the owner makes room by forgetting the one that is gone longest. A KnownMember stays where it is
// until it is erased, and keeps its name. Part of Serf; lives on its thread.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "gossip/member.h"

namespace dkron::gossip {

struct KnownMember {
  Member member;
  LamportTime status_time = 0;  // Of the last join or leave intent that counted.
  Duration gone_since{};        // When it failed or left.

  bool is_gone() const {
    return member.status == MemberStatus::Failed || member.status == MemberStatus::Left;
  }
};

class MemberTable {
 public:
  // Twice the memberlist's, so one that is gone can always make room for one that lives.
  static constexpr std::size_t kMaxMembers = 32'768;

  KnownMember* find(std::string_view name);
  const KnownMember* find(std::string_view name) const;
  // It must not be there yet.
  KnownMember& add(Member member);
  void erase(std::string_view name);
  // The only way to change a status: the counts depend on it.
  void set_status(KnownMember& known, MemberStatus status);

  std::size_t size() const { return members_.size(); }
  std::size_t count(MemberStatus status) const { return counts_[index_of(status)]; }
  using Members = std::unordered_map<std::string_view, std::unique_ptr<KnownMember>>;
  const Members& all() const { return members_; }  // In no order.
  std::vector<const KnownMember*> by_name() const;
  bool is_full() const { return size() >= kMaxMembers; }
  // Null when nobody is gone.
  const KnownMember* gone_longest() const;
  // Up to `count` different ones that `wanted` takes, by chance.
  std::vector<const Member*> pick(std::size_t count, Random& random,
                                  const std::function<bool(const Member&)>& wanted) const;

 private:
  static std::size_t index_of(MemberStatus status) { return static_cast<std::size_t>(status); }

  Members members_;  // The names are those in the members.
  std::array<std::size_t, 5> counts_{};
};

}  // namespace dkron::gossip
