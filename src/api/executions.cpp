// Executions of a job, and what runs now (spec rest-api 5, 6.6).
#include <algorithm>
#include <charconv>

#include "api/api.h"
#include "api/paging.h"
#include "model/job_json.h"
#include "state/machine.h"
#include "state/views.h"

namespace dkron::api {
namespace {

using model::Execution;
using Less = bool (*)(const Execution&, const Execution&);

// The order for `_sort`; null for an unknown field. The default sorts by id as text.
Less order_by(std::string_view field) {
  if (field.empty() || field == "id")
    // Executions without start share an id.
    return [](const Execution& a, const Execution& b) {
      const std::string id_a = a.id(), id_b = b.id();
      return id_a != id_b ? id_a < id_b : a.group < b.group;
    };
  if (field == "started_at")
    return [](const Execution& a, const Execution& b) { return a.started_at < b.started_at; };
  if (field == "finished_at")
    return [](const Execution& a, const Execution& b) { return a.finished_at < b.finished_at; };
  if (field == "attempt")
    return [](const Execution& a, const Execution& b) { return a.attempt < b.attempt; };
  return nullptr;
}

// -1, no limit, for what is not a number and for negative ones.
std::int64_t read_output_limit(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool ok = !text.empty() && error == std::errc() && end == text.data() + text.size();
  return ok && value >= 0 ? value : -1;
}

void answer_busy(const ExchangePtr& exchange, Busy busy) {
  std::sort(busy.executions.begin(), busy.executions.end(),
            [](const Execution& a, const Execution& b) { return a.started_at < b.started_at; });
  std::string body = "[";
  for (const Execution& execution : busy.executions) {
    if (body.size() > 1) body += ',';
    model::append_execution(&body, execution, TimeZone::utc());
  }
  exchange->add_header("X-Total-Count", std::to_string(busy.executions.size()));
  if (!busy.partial_because.empty()) {
    exchange->add_header("X-Dkron-Partial", std::move(busy.partial_because));
  }
  exchange->json(200, body + "]");
}

}  // namespace

void Api::add_execution_routes() {
  router_.add(net::Method::Get, "/v1/jobs/:job/executions", [this](const ExchangePtr& exchange) {
    on_worker(exchange, [this](const ExchangePtr& e) {
      const Less less = order_by(e->query("_sort"));
      if (less == nullptr) {
        e->error(400, "cannot sort executions by " + std::string(e->query("_sort")));
        return;
      }
      const auto job = read_job(e, e->parameter(0));
      if (!job) return;
      const std::uint32_t keep =
          job->keep_executions == 0 ? state::kDefaultKeepExecutions : job->keep_executions;
      auto executions = state::list_executions(services_.store.reader(), *job, keep);
      if (!executions) {
        e->error(executions.error());
        return;
      }
      const bool descending = !e->has_query("_order") || e->query("_order") == "DESC";
      std::stable_sort(executions->begin(), executions->end(),
                       [&](const Execution& a, const Execution& b) {
                         return descending ? less(b, a) : less(a, b);
                       });
      const auto zone = TimeZone::load(job->timezone).value_or(TimeZone::utc());
      const std::uint64_t total = executions->size();
      const Page wanted = read_page(*e);
      // Only what is shown is read: outputs may be 256 kB each.
      std::vector<Execution> page;
      for (std::uint64_t i = wanted.start; i < std::min(total, wanted.end); ++i) {
        page.push_back(std::move((*executions)[i]));
      }
      if (auto read = state::read_outputs(services_.store.reader(), job->uid, &page); !read) {
        e->error(read.error());
        return;
      }
      const std::int64_t limit = read_output_limit(e->query("output_size_limit"));
      std::string body = "[";
      for (const Execution& execution : page) {
        if (body.size() > 1) body += ',';
        model::append_listed_execution(&body, execution, zone, limit);
      }
      e->add_header("X-Total-Count", std::to_string(total));
      e->json(200, body + "]");
    });
  });

  router_.add(
      net::Method::Get, "/v1/jobs/:job/executions/:execution", [this](const ExchangePtr& exchange) {
        on_worker(exchange, [this](const ExchangePtr& e) {
          const auto job = read_job(e, e->parameter(0));
          if (!job) return;
          auto execution = state::find_execution(services_.store.reader(), *job, e->parameter(1));
          if (!execution) {
            e->error(execution.error());
          } else if (!*execution) {
            e->error(404, "execution " + e->parameter(1) + " not found");
          } else {
            std::string body;
            model::append_execution(&body, **execution, TimeZone::utc());
            e->json(200, std::move(body));
          }
        });
      });

  router_.add(net::Method::Delete, "/v1/jobs/:job/executions", [this](const ExchangePtr& exchange) {
    services_.control.delete_executions(exchange->parameter(0),
                                        [this, exchange](const Result<void>& done) {
                                          if (!done) {
                                            exchange->error(done.error());
                                          } else {
                                            answer_written_job(exchange);
                                          }
                                        });
  });

  router_.add(net::Method::Get, "/v1/busy", [this](const ExchangePtr& exchange) {
    services_.busy([exchange](Busy busy) { answer_busy(exchange, std::move(busy)); });
  });
}

}  // namespace dkron::api
