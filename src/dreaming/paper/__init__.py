"""The paper, reproduced: what it published, which runs its figures need, and how they are drawn and reported."""
