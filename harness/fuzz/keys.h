/* Keys for TLS in fuzz targets: pre-shared, for their handshake is the quickest. */
#ifndef NBDCONFORM_FUZZ_KEYS_H
#define NBDCONFORM_FUZZ_KEYS_H

#include "reference/reference.h"
#include "transport/tls.h"

/* What a client, and the reference server, need, to be had once. They live as long as the process. */
TransportTls *keys_of_client(void);
RefTls *keys_of_server(void);

#endif
