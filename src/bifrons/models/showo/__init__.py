"""Show-o: one Phi body that answers word by word and draws by unmasking MAGVIT-v2 codes (Xie et al. 2024)."""

from bifrons.models.showo.load import from_folder, from_network
from bifrons.models.showo.options import OPTIONS

__all__ = ["OPTIONS", "from_folder", "from_network"]
