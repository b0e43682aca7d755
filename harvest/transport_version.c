/* SPDX-License-Identifier: MIT */
#include "harvest/transport_version.h"

#include <curl/curl.h>
#include <uv.h>

const char *transport_curl_version(void)
{
    return curl_version_info(CURLVERSION_NOW)->version;
}

const char *transport_uv_version(void)
{
    return uv_version_string();
}
