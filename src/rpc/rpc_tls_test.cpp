// Calls over TLS with mutual authentication, as between nodes with certificates.
#include "base/test_directory.h"
#include "net/test_certificates.h"
#include "rpc/test_support.h"

namespace dkron::rpc {
namespace {

struct Certificates {
  Certificates() {
    net::TlsFiles files;
    files.certificate = net::test::write_text(directory.path() / "cert", node.certificate);
    files.key = net::test::write_text(directory.path() / "key", node.key);
    files.trusted = net::test::write_text(directory.path() / "ca", authority.pem());
    files.verify_clients = true;
    auto opened = net::Tls::open(files);
    EXPECT_TRUE(opened) << opened.error().message;
    tls = *opened;
  }
  const testing_support::TemporaryDirectory directory;
  net::test::Authority authority;
  net::test::Pair node = authority.issue();
  net::TlsPtr tls;
};

class RpcTls : public Certificates, public test::RpcTest {
 protected:
  RpcTls() : RpcTest(true, tls) { use(node, authority.pem()); }

  void use(const net::test::Pair& pair, const std::string& trusted) {
    start_client({"n2", false, {trusted, pair.certificate, pair.key, ""}});
  }
  Result<void> pause() {
    return ask([&](Client& c, OnDone d) { c.set_paused(address_, true, d); });
  }
};

TEST_F(RpcTls, calls_and_runs) {
  services_.on_run = [](RunRequest request, const std::shared_ptr<RunStream>& stream) {
    request.execution.output = std::string(200'000, 'x');
    for (int i = 0; i < 20; ++i) stream->send(request.execution);
    stream->finish({});
  };
  EXPECT_TRUE(pause());
  EXPECT_TRUE(pause());
  test::Answer<Result<void>> end;
  std::size_t output_bytes = 0;
  near_.run([&] {
    runs_.push_back(client_->run(
        address_, {},
        {[&](const model::Execution& e) { output_bytes += e.output.size(); }, end.callback()}));
  });
  EXPECT_TRUE(end.wait());
  EXPECT_EQ(output_bytes, 20U * 200'000);
}

TEST_F(RpcTls, refuses_whom_it_does_not_trust) {
  const net::test::Authority other("another CA");
  use(other.issue(), authority.pem());
  auto result = pause();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::Unavailable) << result.error().message;
  use(node, other.pem());
  result = pause();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::Unavailable) << result.error().message;
  start_client({"n2", false, {}});
  result = pause();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::Unavailable) << result.error().message;
}

TEST_F(RpcTls, takes_new_certificates_for_later_calls) {
  const net::test::Authority other("another CA");
  use(node, other.pem());
  EXPECT_FALSE(pause());
  near_.run([&] { client_->set_tls({authority.pem(), node.certificate, node.key, ""}); });
  EXPECT_TRUE(pause());
}

}  // namespace
}  // namespace dkron::rpc
