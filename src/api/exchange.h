// Exchange: one request on its way through a handler, and the ways to answer it.
//
// Shared by the callbacks that a handler leaves behind; the answer is sent once, from any thread.
// Keeps the rules of spec rest-api 1.3 in one place: content types, `?pretty`, error texts (JSON
// when the client asks for nothing else), never an empty error.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "net/http.h"

namespace dkron::api {

int http_status(ErrorCode code);

class Exchange {
 public:
  Exchange(net::Request request, net::Responder responder, net::Headers headers);

  const net::Request& request() const { return request_; }
  // The decoded path parameter with that number (0 = first).
  const std::string& parameter(std::size_t i) const { return parameters_.at(i); }
  void set_parameters(std::vector<std::string> parameters) { parameters_ = std::move(parameters); }

  // Present without value, `true`, `1` = on; `false`, `0` and absent = off.
  bool flag(std::string_view name) const;
  std::string_view query(std::string_view name) const;  // "" when absent.
  bool has_query(std::string_view name) const { return request_.find_query(name) != nullptr; }

  void add_header(std::string name, std::string value);
  void json(int status, std::string body);
  void text(int status, std::string body);
  void error(int status, std::string_view message);
  void error(const Error& error);  // Status by its code.
  void send(net::Response response);

 private:
  net::Request request_;
  net::Responder responder_;
  net::Headers headers_;
  std::vector<std::string> parameters_;
};

using ExchangePtr = std::shared_ptr<Exchange>;

}  // namespace dkron::api
