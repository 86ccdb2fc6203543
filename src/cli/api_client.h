// ApiClient: the command line's side of the REST API. Blocking.
#pragma once

#include <string>

#include "base/error.h"
#include "base/time.h"
#include "net/http_client.h"

namespace dkron::cli {

class ApiClient {
 public:
  // `address`: "http://host:port", "host:port" or ":port"; what is missing is http and 127.0.0.1.
  explicit ApiClient(const std::string& address);

  // The answer, whatever its status; an Error when there is none.
  Result<net::FetchResult> ask(const std::string& method, const std::string& path,
                               std::string body = {}, Duration timeout = seconds(30)) const;
  // The body of a 2xx answer; else an Error with the server's own text.
  Result<std::string> call(const std::string& method, const std::string& path,
                           std::string body = {}, Duration timeout = seconds(30)) const;

  static bool is_success(const net::FetchResult& answer) {
    return answer.status >= 200 && answer.status < 300;
  }
  static std::string error_text(const net::FetchResult& answer);  // Of one that is no success.

 private:
  std::string base_url_;
};

}  // namespace dkron::cli
