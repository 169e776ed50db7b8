"""Subscribe a webhook address with RingCentral's own Python SDK, unmodified: `pip install ringcentral`.

python python_sdk_webhook.py ADDRESS [EVENT_FILTER…]

What `bellwire env` prints has to be in the environment.
"""

import os
import sys

from ringcentral import SDK
from ringcentral.http.api_exception import ApiException

if len(sys.argv) < 2 or "BELLWIRE_A2P_NUMBER" not in os.environ:
    sys.exit(__doc__)
address, *filters = sys.argv[1:]
inbound = "/restapi/v1.0/account/~/a2p-sms/messages?direction=Inbound&to=" + os.environ["BELLWIRE_A2P_NUMBER"]

sdk = SDK(os.environ["RC_APP_CLIENT_ID"], os.environ["RC_APP_CLIENT_SECRET"], os.environ["RC_SERVER_URL"])
platform = sdk.platform()
platform.login(jwt=os.environ["RC_USER_JWT"])
try:
    wanted = {
        "eventFilters": filters or [inbound],
        "deliveryMode": {"transportType": "WebHook", "address": address},
    }
    made = platform.post("/restapi/v1.0/subscription", wanted).json_dict()
except ApiException as refused:
    sys.exit(refused.api_response().json_dict()["message"])
print(made["status"], made["id"], *made["eventFilters"], sep="\n")
