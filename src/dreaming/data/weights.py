"""Networks that measure, of which the weights are fetched as a data set is."""

from dreaming.data.sources import Network, RemoteFile

_FID = "-inception-2015-12-05-6726825d.pth"
INCEPTION = Network(
    name="inception",
    host="github.com",
    licence="Apache 2.0; cite Szegedy et al. 2016",
    files=(
        # SHA-256 and size as several projects record them; both addresses give the same bytes.
        RemoteFile(
            f"weights{_FID}",
            "sha256:6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
            95_628_359,
            (
                f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights{_FID}",
                f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt{_FID}",
            ),
        ),
    ),
)

NETWORKS = {network.name: network for network in (INCEPTION,)}
