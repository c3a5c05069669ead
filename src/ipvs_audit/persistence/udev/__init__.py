"""Rules of udev as udev reads them, and what they run when ip_vs is loaded."""
