// What the config of an http job says (spec executors 2), read and checked.
//
// Free functions; values without thread.
#pragma once

#include <optional>
#include <string>

#include "executor/config_text.h"
#include "net/http_client.h"

namespace dkron::executor {

struct HttpPlan {
  net::FetchOptions request;
  std::string preamble;  // Debug dump and warnings, in front of the body.
  std::optional<std::string> expect_code;
  std::optional<std::string> expect_body;
};

Result<void> validate_http(const Config& config);
Result<HttpPlan> plan_http(const Config& config);

// Empty when the answer is what the job expects, else the error line.
std::string check_answer(const HttpPlan& plan, int status, const std::string& body);

// Go's %#v of the config, secrets as ***.
std::string dump_config(const Config& config);

}  // namespace dkron::executor
