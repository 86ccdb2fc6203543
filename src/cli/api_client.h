// ApiClient: the command line's side of the REST API. Blocking.
#pragma once

#include <string>

#include "base/error.h"
#include "base/time.h"

namespace dkron::cli {

class ApiClient {
 public:
  // `address`: "http://host:port", "host:port" or ":port"; what is missing is http and 127.0.0.1.
  explicit ApiClient(const std::string& address);

  // The body of a 2xx answer; else an Error with the server's own text.
  Result<std::string> call(const std::string& method, const std::string& path,
                           std::string body = {}, Duration timeout = seconds(30)) const;

 private:
  std::string base_url_;
};

}  // namespace dkron::cli
