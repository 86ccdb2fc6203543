// http_fetch over TLS, against a server with a certificate of its own making.
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/eventfd.h>

#include <csignal>
#include <memory>

#include "base/test_directory.h"
#include "net/http_client.h"
#include "net/test_support.h"

namespace dkron::net {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using Session = std::unique_ptr<SSL, decltype(&SSL_free)>;

// Self-signed, for one name ("IP:127.0.0.1").
Certificate make_certificate(EVP_PKEY* key, const std::string& name) {
  Certificate certificate(X509_new(), &X509_free);
  X509* x509 = certificate.get();
  X509_set_version(x509, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
  X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
  X509_set_pubkey(x509, key);
  X509_NAME* subject = X509_get_subject_name(x509);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  X509_set_issuer_name(x509, subject);
  X509_EXTENSION* extension =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, name.c_str());
  X509_add_ext(x509, extension, -1);
  X509_EXTENSION_free(extension);
  EXPECT_GT(X509_sign(x509, key, EVP_sha256()), 0);
  return certificate;
}

// Answers each connection's first request with "hello", on a thread of its own.
class TlsServer {
 public:
  explicit TlsServer(const std::string& name) {
    certificate_ = make_certificate(key_.get(), name);
    SSL_CTX_use_certificate(context_.get(), certificate_.get());
    SSL_CTX_use_PrivateKey(context_.get(), key_.get());
    stop_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
    listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 8), 0);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    url_ = "https://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
    thread_ = std::thread([this] { run(); });
  }
  ~TlsServer() {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
  }
  const std::string& url() const { return url_; }
  Path write_certificate(const Path& path) const {
    std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(path.c_str(), "w"), &BIO_free);
    EXPECT_EQ(PEM_write_bio_X509(file.get(), certificate_.get()), 1);
    return path;
  }

 private:
  void run() {
    // OpenSSL writes without MSG_NOSIGNAL, and clients that do not trust us go away.
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    for (;;) {
      pollfd entries[2] = {{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
      ::poll(entries, 2, -1);
      if (entries[0].revents != 0) return;
      const UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      serve(connection.get());
    }
  }
  void serve(int fd) {
    const Session session(SSL_new(context_.get()), &SSL_free);
    SSL_set_fd(session.get(), fd);
    if (SSL_accept(session.get()) != 1) return;  // The client did not trust us.
    char request[4096];
    if (SSL_read(session.get(), request, sizeof request) <= 0) return;
    const std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    SSL_write(session.get(), answer.data(), static_cast<int>(answer.size()));
    SSL_shutdown(session.get());
  }

  Key key_{EVP_EC_gen("P-256"), &EVP_PKEY_free};
  Certificate certificate_{nullptr, &X509_free};
  Context context_{SSL_CTX_new(TLS_server_method()), &SSL_CTX_free};
  UniqueFd stop_;
  UniqueFd listener_;
  std::string url_;
  std::thread thread_;
};

std::string fetch(const std::string& url, const Path& ca_file) {
  FetchOptions options;
  options.url = url;
  options.ca_file = ca_file.string();
  const auto result = http_fetch(options);
  if (result) return result->body;
  const std::string& text = result.error().message;
  return text.substr(text.find(": ") + 2);
}

TEST(HttpTls, trusts_the_given_certificates) {
  const testing_support::TemporaryDirectory directory;
  const TlsServer server("IP:127.0.0.1");
  EXPECT_EQ(fetch(server.url(), server.write_certificate(directory.path() / "ca")), "hello");
}

TEST(HttpTls, trusts_no_other_certificates) {
  const testing_support::TemporaryDirectory directory;
  const TlsServer server("IP:127.0.0.1");
  const TlsServer other("IP:127.0.0.1");
  const std::string unknown =
      "tls: failed to verify certificate: x509: certificate signed by unknown authority";
  EXPECT_EQ(fetch(server.url(), ""), unknown);
  const std::string mixed = fetch(server.url(), other.write_certificate(directory.path() / "ca"));
  EXPECT_EQ(mixed.find("tls: "), 0U) << mixed;
}

TEST(HttpTls, checks_the_name_in_the_certificate) {
  const testing_support::TemporaryDirectory directory;
  const TlsServer server("IP:10.0.0.1");
  const std::string text = fetch(server.url(), server.write_certificate(directory.path() / "ca"));
  EXPECT_EQ(text.find("tls: failed to verify certificate: x509: "), 0U) << text;
}

TEST(HttpTls, fails_without_the_file) {
  const testing_support::TemporaryDirectory directory;
  const TlsServer server("IP:127.0.0.1");
  const std::string text = fetch(server.url(), directory.path() / "missing");
  EXPECT_EQ(text.find("tls: "), 0U) << text;
}

}  // namespace
}  // namespace dkron::net
