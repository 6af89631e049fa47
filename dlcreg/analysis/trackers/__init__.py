"""The trackers that come with dlcreg, see `dlcreg.contracts.Tracker`."""
