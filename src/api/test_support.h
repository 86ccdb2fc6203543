// What the tests of api/ share: requests as values, and a place where the answer arrives.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>

#include "net/http.h"

namespace dkron::api::testing_support {

inline net::Request request_of(net::Method method, std::string target) {
  net::Request request;
  request.method = method;
  request.method_text = net::to_string(method);
  request.path = target.substr(0, target.find('?'));
  if (request.path.size() < target.size())
    request.query = net::parse_query(target.substr(request.path.size() + 1));
  request.target = std::move(target);
  request.headers = {{"Host", "here:8080"}};
  return request;
}

// Takes one answer, from any thread.
class Answer {
 public:
  net::Responder responder() { return net::Responder(sink_); }
  // Waits for it; an empty answer with status 0 when none comes.
  net::Response get() {
    auto future = sink_->promise.get_future();
    const bool is_there = future.wait_for(std::chrono::seconds(30)) == std::future_status::ready;
    EXPECT_TRUE(is_there) << "no answer came";
    net::Response none;
    none.status = 0;
    return is_there ? future.get() : none;
  }

 private:
  struct Sink final : net::Responder::Sink {
    void send(net::Response response) override { promise.set_value(std::move(response)); }
    std::promise<net::Response> promise;
  };
  std::shared_ptr<Sink> sink_ = std::make_shared<Sink>();
};

inline std::string header(const net::Response& response, std::string_view name) {
  return std::string(net::find_header(response.headers, name));
}

}  // namespace dkron::api::testing_support
