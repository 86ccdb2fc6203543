#include "cli/api_client.h"

namespace dkron::cli {

ApiClient::ApiClient(const std::string& address) : base_url_(address) {
  if (base_url_.find("://") == std::string::npos) {
    base_url_ = "http://" + std::string(base_url_.starts_with(":") ? "127.0.0.1" : "") + base_url_;
  }
  while (base_url_.ends_with('/')) base_url_.pop_back();
}

Result<net::FetchResult> ApiClient::ask(const std::string& method, const std::string& path,
                                        std::string body, Duration timeout) const {
  net::FetchOptions options;
  options.method = method;
  options.url = base_url_ + path;
  options.timeout = timeout;
  options.body = std::move(body);
  if (!options.body.empty()) options.headers.emplace_back("Content-Type", "application/json");
  auto answer = net::http_fetch(options);
  if (!answer) return fail(ErrorCode::Unavailable, answer.error().message);
  return answer;
}

Result<std::string> ApiClient::call(const std::string& method, const std::string& path,
                                    std::string body, Duration timeout) const {
  auto answer = ask(method, path, std::move(body), timeout);
  if (!answer) return fail(answer.error());
  if (!is_success(*answer)) return fail(ErrorCode::Internal, error_text(*answer));
  return std::move(answer->body);
}

std::string ApiClient::error_text(const net::FetchResult& answer) {
  return answer.body.empty() ? "the server answered with status " + std::to_string(answer.status)
                             : answer.body;
}

}  // namespace dkron::cli
