#include "api/api.h"

#include "model/job_json.h"
#include "state/views.h"

namespace dkron::api {

Api::Api(Services services)
    : services_(std::move(services)), router_(services_.node_name, services_.catch_up) {
  add_job_list_route();
  add_job_routes();
  add_execution_routes();
  add_ledger_routes();
  add_cluster_routes();
  add_health_routes();
  add_keyring_routes();
  if (services_.ui_enabled) add_ui_routes();
}

void Api::on_worker(const ExchangePtr& exchange, std::function<void(ExchangePtr)> work) {
  const bool accepted =
      services_.workers.try_post([exchange, work = std::move(work)] { work(exchange); });
  if (!accepted) exchange->error(503, "too many requests wait for the store");
}

std::optional<model::Job> Api::read_job(const ExchangePtr& exchange, const std::string& name) {
  auto job = state::find_job(services_.store.reader(), name);
  if (!job) {
    exchange->error(job.error());
    return std::nullopt;
  }
  if (!*job) {
    exchange->error(404, "job " + name + " not found");
    return std::nullopt;
  }
  return std::move(**job);
}

// What the leader has written may not have come here yet.
void Api::answer_written_job(const ExchangePtr& exchange) {
  const auto answer = [this, exchange] { answer_job(exchange, 200, exchange->parameter(0)); };
  if (services_.control.is_leader() || !services_.catch_up) return answer();
  services_.catch_up([exchange, answer](const Result<void>& caught_up) {
    if (caught_up) {
      answer();
    } else {
      exchange->error(caught_up.error());
    }
  });
}

void Api::answer_job(const ExchangePtr& exchange, int status, const std::string& name) {
  on_worker(exchange, [this, status, name](const ExchangePtr& e) {
    const auto job = read_job(e, name);
    if (!job) return;
    std::string body;
    model::append_job(&body, *job);
    e->json(status, std::move(body));
  });
}

}  // namespace dkron::api
