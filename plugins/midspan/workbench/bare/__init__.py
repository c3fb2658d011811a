"""The peers that `midspan bench overhead` compares with: what a user would write without Midspan, and an echo."""
