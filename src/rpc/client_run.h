// One AgentRun at the side that orders it, see Client::run().
#pragma once

#include <memory>
#include <string>

#include "rpc/client_call.h"

namespace dkron::rpc {

std::unique_ptr<RemoteRun> start_run(const std::shared_ptr<ClientCore>& core, std::string address,
                                     const RunRequest& request, Client::RunHandlers handlers);

}  // namespace dkron::rpc
