#include "gossip/open_queries.h"

#include <utility>

namespace dkron::gossip {

void OpenQueries::open(const Query& query, std::size_t enough_responses, QueryHandlers handlers) {
  Open& open = queries_[query.time];
  open.id = query.id;
  open.enough_responses = enough_responses;
  open.handlers = std::make_shared<const QueryHandlers>(std::move(handlers));
  open.deadline = timers_.after(query.timeout, [this, time = query.time] { close(time); });
}

void OpenQueries::on_response(const QueryResponse& response) {
  const auto found = queries_.find(response.time);
  if (found == queries_.end() || found->second.id != response.id) return;
  Open& open = found->second;
  const bool is_ack = (response.flags & QueryResponse::kIsAck) != 0;
  std::set<std::string>& heard = is_ack ? open.acks : open.responses;
  if (heard.size() >= kMaxAnswers || !heard.insert(response.from).second) return;
  if (is_ack) {
    mailbox_.post([handlers = open.handlers, from = response.from] {
      if (handlers->on_ack) handlers->on_ack(from);
    });
    return;
  }
  mailbox_.post([handlers = open.handlers, from = response.from, payload = response.payload] {
    if (handlers->on_response) handlers->on_response(from, payload);
  });
  if (open.responses.size() == open.enough_responses) close(response.time);
}

void OpenQueries::close(LamportTime time) {
  const auto closed = queries_.extract(time);
  if (closed.empty()) return;
  mailbox_.post([handlers = closed.mapped().handlers] {
    if (handlers->on_done) handlers->on_done();
  });
}

}  // namespace dkron::gossip
