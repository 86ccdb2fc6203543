#include "api/exchange.h"

#include "model/job_json.h"
#include "net/http_response.h"

namespace dkron::api {

int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::Ok: return 200;
    case ErrorCode::InvalidArgument: return 400;
    case ErrorCode::NotFound: return 404;
    case ErrorCode::Conflict: return 409;
    case ErrorCode::TooLarge: return 413;
    case ErrorCode::Unavailable:
    case ErrorCode::OutcomeUnknown:
    case ErrorCode::Overloaded: return 503;
    case ErrorCode::Timeout: return 504;
    case ErrorCode::Canceled:
    case ErrorCode::Io:
    case ErrorCode::Corrupt:
    case ErrorCode::Internal: return 500;
    case ErrorCode::Unsupported: return 501;
  }
  return 500;
}

Exchange::Exchange(net::Request request, net::Responder responder, net::Headers headers)
    : request_(std::move(request)),
      responder_(std::move(responder)),
      headers_(std::move(headers)) {}

bool Exchange::flag(std::string_view name) const {
  const net::QueryParameter* parameter = request_.find_query(name);
  return parameter != nullptr && parameter->value != "false" && parameter->value != "0";
}

std::string_view Exchange::query(std::string_view name) const {
  const net::QueryParameter* parameter = request_.find_query(name);
  return parameter == nullptr ? std::string_view() : std::string_view(parameter->value);
}

void Exchange::add_header(std::string name, std::string value) {
  headers_.emplace_back(std::move(name), std::move(value));
}

void Exchange::json(int status, std::string body) {
  net::Response response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "application/json; charset=utf-8");
  response.body = has_query("pretty") ? model::pretty(body) : std::move(body);
  send(std::move(response));
}

void Exchange::text(int status, std::string body) {
  net::Response response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  response.body = std::move(body);
  send(std::move(response));
}

void Exchange::error(int status, std::string_view message) {
  if (message.empty()) message = net::reason_phrase(status);
  const std::string_view accept = net::find_header(request_.headers, "Accept");
  const bool wants_json = accept.find("application/json") != accept.npos &&
                          accept.find("*/*") == accept.npos &&
                          accept.find("text/plain") == accept.npos;
  if (!wants_json) {
    text(status, std::string(message));
    return;
  }
  std::string body = "{\"error\":";
  model::append_json_string(&body, message);
  net::Response response;
  response.status = status;
  response.headers.emplace_back("Content-Type", "application/json; charset=utf-8");
  response.body = body + "}";
  send(std::move(response));
}

void Exchange::error(const Error& error) {
  this->error(http_status(error.code), error.message);
}

void Exchange::send(net::Response response) {
  for (auto& header : headers_) response.headers.push_back(std::move(header));
  headers_.clear();
  responder_(std::move(response));
}

}  // namespace dkron::api
