#include "cli/api_client.h"

#include "net/http_client.h"

namespace dkron::cli {

ApiClient::ApiClient(const std::string& address) : base_url_(address) {
  if (base_url_.find("://") == std::string::npos) {
    base_url_ = "http://" + std::string(base_url_.starts_with(":") ? "127.0.0.1" : "") + base_url_;
  }
  while (base_url_.ends_with('/')) base_url_.pop_back();
}

Result<std::string> ApiClient::call(const std::string& method, const std::string& path,
                                    std::string body, Duration timeout) const {
  net::FetchOptions options;
  options.method = method;
  options.url = base_url_ + path;
  options.timeout = timeout;
  options.body = std::move(body);
  if (!options.body.empty()) options.headers.emplace_back("Content-Type", "application/json");
  auto result = net::http_fetch(options);
  if (!result) return fail(ErrorCode::Unavailable, result.error().message);
  if (result->status >= 200 && result->status < 300) return std::move(result->body);
  return fail(ErrorCode::Internal, result->body.empty() ? "the server answered with status " +
                                                              std::to_string(result->status)
                                                        : result->body);
}

}  // namespace dkron::cli
