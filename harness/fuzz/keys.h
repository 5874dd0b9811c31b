/* Keys for TLS in fuzz targets: pre-shared, for their handshake is the quickest. */
#ifndef NBDCONFORM_FUZZ_KEYS_H
#define NBDCONFORM_FUZZ_KEYS_H

#include "reference/reference.h"
#include "transport/tls.h"

/* What a side needs, to be had once. It lives as long as the process. */
TransportTls *keys_new(TransportTlsSide side);

/* … and what the reference server does. */
RefTls *keys_of_reference(void);

#endif
