// Api: the REST surface of a server (spec rest-api), on top of state::Control and the store's read
// views.
//
// One file for each group of endpoints; each adds its routes to the Router. Handlers run on the
// main loop's thread and move every read of the store to the worker threads. Owned by agent/.
#pragma once

#include <memory>

#include "api/job_cache.h"
#include "api/router.h"
#include "api/services.h"

namespace dkron::api {

class Api {
 public:
  explicit Api(Services services);

  void handle(net::Request request, net::Responder responder) {
    router_.handle(std::move(request), std::move(responder));
  }
  std::size_t body_limit(net::Method method, std::string_view path) const {
    return router_.body_limit(method, path);
  }

 private:
  void add_job_routes();        // jobs.cpp
  void add_job_list_route();    // job_list.cpp
  void add_execution_routes();  // executions.cpp
  void add_ledger_routes();     // ledger.cpp
  void add_cluster_routes();    // cluster.cpp
  void add_health_routes();     // health.cpp
  void add_keyring_routes();    // keyring.cpp
  void add_ui_routes();         // ui.cpp

  // Runs `work` on a worker thread; 503 when too much waits there.
  void on_worker(const ExchangePtr& exchange, std::function<void(ExchangePtr)> work);
  // Answers with the job as it is stored now.
  void answer_job(const ExchangePtr& exchange, int status, const std::string& name);
  // The same behind a write that another server may have done.
  void answer_written_job(const ExchangePtr& exchange);
  // Reads the job for a handler on a worker thread; answers 404 or 500 itself and gives nullopt
  // then.
  std::optional<model::Job> read_job(const ExchangePtr& exchange, const std::string& name);

  Services services_;
  Router router_;
  JobCache cache_;
};

}  // namespace dkron::api
