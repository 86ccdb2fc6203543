// One job: create, read, replace, delete, run, toggle (spec rest-api 4.2-4.6).
#include "api/api.h"
#include "base/log.h"
#include "model/job_json.h"
#include "model/json_text.h"
#include "state/views.h"

namespace dkron::api {
namespace {

// A refused definition has another text than other refusals.
void answer_refusal(const ExchangePtr& exchange, const Error& error) {
  if (error.code == ErrorCode::InvalidArgument) {
    exchange->error(400, "Job validation failed: " + error.message + ".");
  } else {
    exchange->error(error);
  }
}

std::string job_text(const model::Job& job) {
  std::string text;
  model::append_job(&text, job);
  return text;
}

// A header's value may hold printable ASCII only.
std::string header_text(const std::string& text) {
  std::string value;
  for (const char c : text) value += c >= ' ' && c < 0x7f ? c : '?';
  return value;
}

// What was accepted though it is probably not meant is told to the client and to the log.
void warn(const ExchangePtr& exchange, const std::string& job_name,
          std::vector<std::string> warnings) {
  if (model::has_malformed_characters(exchange->request().body)) {
    warnings.emplace_back(
        "malformed characters were replaced by U+FFFD since the request is not UTF-8");
  }
  std::string all;
  for (const std::string& warning : warnings) {
    log::warning("api: a job was accepted with a warning",
                 {{"job", job_name}, {"warning", warning}});
    all += (all.empty() ? "" : "; ") + warning;
  }
  if (!all.empty()) exchange->add_header("X-Dkron-Warning", header_text(all));
}

}  // namespace

void Api::add_job_routes() {
  const auto set = [this](const ExchangePtr& exchange, const std::string& name_in_path) {
    auto job = model::parse_job(exchange->request().body);
    if (!job) {
      exchange->error(400, "Unable to parse payload: " + job.error().message + ".");
      return;
    }
    if (!name_in_path.empty()) {
      if (job->name.empty()) job->name = name_in_path;
      if (job->name != name_in_path) {
        exchange->error(400, "name in path and body differ");
        return;
      }
    }
    services_.control.set_job(
        std::move(*job), {}, [this, exchange](const Result<model::Job>& stored) {
          if (!stored) {
            answer_refusal(exchange, stored.error());
            return;
          }
          if (exchange->flag("runoncreate")) {
            services_.control.run_job(
                stored->name, {}, [name = stored->name](const Result<state::StartedRun>& run) {
                  if (!run)
                    log::error("api: Unable to run job.", {{"job", name}, {"error", run.error()}});
                });
          }
          warn(exchange, stored->name,
               services_.warnings ? services_.warnings(*stored) : std::vector<std::string>());
          exchange->add_header("Location", "/v1/jobs/" + net::encode_segment(stored->name));
          exchange->json(201, job_text(*stored));
        });
  };
  router_.add(net::Method::Post, "/v1/jobs", [set](const ExchangePtr& e) { set(e, ""); });
  router_.add(net::Method::Patch, "/v1/jobs", [set](const ExchangePtr& e) { set(e, ""); });
  router_.add(net::Method::Put, "/v1/jobs/:job",
              [set](const ExchangePtr& e) { set(e, e->parameter(0)); });

  router_.add(net::Method::Get, "/v1/jobs/:job",
              [this](const ExchangePtr& e) { answer_job(e, 200, e->parameter(0)); });

  router_.add(net::Method::Delete, "/v1/jobs/:job", [this](const ExchangePtr& exchange) {
    on_worker(exchange, [this](const ExchangePtr& e) {
      const auto job = read_job(e, e->parameter(0));
      if (!job) return;
      services_.loop.post([this, e, body = job_text(*job)]() mutable {
        services_.control.delete_job(e->parameter(0),
                                     [e, body = std::move(body)](const Result<void>& done) mutable {
                                       if (!done) {
                                         e->error(done.error());
                                       } else {
                                         e->json(200, std::move(body));
                                       }
                                     });
      });
    });
  });

  const auto run = [this](const ExchangePtr& exchange) {
    state::RunOptions options;
    options.respect_concurrency = exchange->flag("respect_concurrency");
    options.wait = exchange->flag("wait");
    services_.control.run_job(
        exchange->parameter(0), options,
        [this, exchange](const Result<state::StartedRun>& started) {
          if (!started) {
            exchange->error(started.error());
            return;
          }
          exchange->add_header("Location", exchange->request().target);
          exchange->add_header("X-Dkron-Group", std::to_string(started->group));
          on_worker(exchange, [this, before = started->job](const ExchangePtr& e) {
            auto now = state::find_job(services_.store.reader(), before.name);
            e->json(200, job_text(now && *now ? **now : before));
          });
        });
  };
  router_.add(net::Method::Post, "/v1/jobs/:job", run);
  router_.add(net::Method::Post, "/v1/jobs/:job/run", run);

  router_.add(net::Method::Post, "/v1/jobs/:job/toggle", [this](const ExchangePtr& exchange) {
    auto wish = state::ToggleWish::Flip;
    if (exchange->has_query("disabled")) {
      wish = exchange->flag("disabled") ? state::ToggleWish::Disable : state::ToggleWish::Enable;
    }
    services_.control.toggle_job(exchange->parameter(0), wish,
                                 [exchange](const Result<model::Job>& job) {
                                   if (!job) {
                                     exchange->error(job.error());
                                     return;
                                   }
                                   exchange->add_header("Location", exchange->request().target);
                                   exchange->json(200, job_text(*job));
                                 });
  });
}

}  // namespace dkron::api
