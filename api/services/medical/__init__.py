"""医养协同: family-doctor contracts, agreements with hospitals, referrals both ways."""
