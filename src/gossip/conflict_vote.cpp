#include "gossip/conflict_vote.h"

#include <utility>

#include "base/log.h"

namespace dkron::gossip {

ConflictVote::ConflictVote(std::string name, Endpoint endpoint, AskQuery ask, Task on_lost)
    : name_(std::move(name)),
      endpoint_(endpoint),
      ask_(std::move(ask)),
      on_lost_(std::move(on_lost)) {}

void ConflictVote::begin(bool is_newcomer) {
  if (is_running_) return;
  is_newcomer_ = is_newcomer;
  answers_ = 0;
  for_us_ = 0;
  QueryHandlers handlers;
  handlers.on_response = [this](const std::string&, std::string_view payload) {
    on_response(payload);
  };
  handlers.on_done = [this] { decide(); };
  const Result<> asked = ask_(kQuery, name_, {}, std::move(handlers));
  if (!asked) {
    log::error("gossip: the members cannot be asked about our name", {{"reason", asked.error()}});
    return;
  }
  is_running_ = true;
}

void ConflictVote::on_response(std::string_view payload) {
  const auto response = decode_conflict_response(payload);
  if (!response) {
    log::warning("gossip: a malformed answer about our name", {{"reason", response.error()}});
    return;
  }
  ++answers_;
  if (!*response) return;
  if (Endpoint{(*response)->ip, (*response)->port} == endpoint_) ++for_us_;
}

void ConflictVote::decide() {
  is_running_ = false;
  const std::size_t majority = answers_ / 2 + 1;
  const bool is_ours = answers_ > 0 ? for_us_ >= majority : !is_newcomer_;
  log::write(is_ours ? log::Level::Info : log::Level::Error,
             is_ours ? "gossip: our name stays ours"
                     : "gossip: the members know our name as another node's",
             {{"name", name_}, {"answers", answers_}, {"for_us", for_us_}});
  if (!is_ours) on_lost_();
}

}  // namespace dkron::gossip
