// The web page under /ui/: files embedded in the program (ui/static, see ui_files.S).
#include "api/api.h"

extern "C" {
extern const char dkron_ui_index_html[], dkron_ui_index_html_end[];
extern const char dkron_ui_style_css[], dkron_ui_style_css_end[];
extern const char dkron_ui_app_js[], dkron_ui_app_js_end[];
}

namespace dkron::api {
namespace {

constexpr std::string_view kContentPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct File {
  std::string_view name;
  std::string_view content_type;
  std::string_view content;
};

// The page for every path that is no file, since the routes of the page are its own.
const File& find_file(std::string_view name) {
  static const File kFiles[] = {
      {"index.html",
       "text/html; charset=utf-8",
       {dkron_ui_index_html,
        static_cast<std::size_t>(dkron_ui_index_html_end - dkron_ui_index_html)}},
      {"style.css",
       "text/css; charset=utf-8",
       {dkron_ui_style_css, static_cast<std::size_t>(dkron_ui_style_css_end - dkron_ui_style_css)}},
      {"app.js",
       "text/javascript; charset=utf-8",
       {dkron_ui_app_js, static_cast<std::size_t>(dkron_ui_app_js_end - dkron_ui_app_js)}},
  };
  for (const File& file : kFiles) {
    if (file.name == name) return file;
  }
  return kFiles[0];
}

}  // namespace

void Api::add_ui_routes() {
  router_.add_tree("/ui/", [](const ExchangePtr& exchange) {
    const File& file = find_file(exchange->parameter(0));
    net::Response response;
    response.headers = {{"Content-Type", std::string(file.content_type)},
                        {"Content-Security-Policy", std::string(kContentPolicy)},
                        {"X-Content-Type-Options", "nosniff"},
                        {"Cache-Control", "no-cache"}};
    response.body = file.content;
    exchange->send(std::move(response));
  });
}

}  // namespace dkron::api
